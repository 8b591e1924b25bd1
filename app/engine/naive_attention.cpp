// SPDX-License-Identifier: Apache-2.0
#include "app/engine/naive_attention.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/base/error.h"
#include "kernels/base/float_formats.h"

namespace wb::app {
namespace {

float rounded(float value) {
    return static_cast<float>(BFloat16(value));
}

float dot(const float* a, const float* b, int64_t count) {
    float sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

void addScaled(float* target, float factor, const float* source, int64_t count) {
    for (int64_t i = 0; i < count; ++i) target[i] += factor * source[i];
}

// One sequence: rows [begin, end) of arrays of [tokens, heads, headDim].
class Sequence {
public:
    Sequence(const AttentionCase::Shape& shape, std::map<std::string, std::vector<float>>& values, int64_t begin,
             int64_t end)
        : m_shape(shape), m_values(values), m_begin(begin), m_end(end), m_scale(1 / std::sqrt(float(shape.headDim))) {}

    void compute() {
        for (int64_t head = 0; head < m_shape.heads; ++head) {
            for (int64_t query = m_begin; query < m_end; ++query) computeRow(head, query);
        }
    }

private:
    float* row(const char* name, int64_t token, int64_t head, int64_t heads) {
        return m_values.at(name).data() + (token * heads + head) * m_shape.headDim;
    }

    void computeRow(int64_t head, int64_t query) {
        const int64_t size = m_shape.headDim;
        const int64_t group = head / (m_shape.heads / m_shape.keyValueHeads);
        const int64_t last = m_shape.isCausal ? query + 1 : m_end;
        const auto keyRow = [&](const char* name, int64_t key) { return row(name, key, group, m_shape.keyValueHeads); };
        const float* q = row("q", query, head, m_shape.heads);
        const float* dOut = row("dOut", query, head, m_shape.heads);
        float* out = row("out", query, head, m_shape.heads);
        float* dQ = row("dQ", query, head, m_shape.heads);

        std::vector<float> weights(static_cast<size_t>(last - m_begin));
        for (int64_t key = m_begin; key < last; ++key)
            weights[static_cast<size_t>(key - m_begin)] = rounded(m_scale * rounded(dot(q, keyRow("k", key), size)));
        softmax(weights);
        for (int64_t key = m_begin; key < last; ++key)
            addScaled(out, weights[static_cast<size_t>(key - m_begin)], keyRow("v", key), size);
        std::for_each(out, out + size, [](float& value) { value = rounded(value); });

        const float delta = rounded(dot(dOut, out, size));
        for (int64_t key = m_begin; key < last; ++key) {
            const float weight = weights[static_cast<size_t>(key - m_begin)];
            const float dWeight = rounded(dot(dOut, keyRow("v", key), size));
            const float dScore = m_scale * rounded(weight * rounded(dWeight - delta));
            addScaled(dQ, dScore, keyRow("k", key), size);
            addScaled(keyRow("dK", key), dScore, q, size);
            addScaled(keyRow("dV", key), weight, dOut, size);
        }
    }

    static void softmax(std::span<float> scores) {
        const float most = *std::ranges::max_element(scores);
        float sum = 0;
        for (float& score : scores) sum += score = std::exp(score - most);
        for (float& score : scores) score = rounded(score / sum);
    }

    const AttentionCase::Shape& m_shape;
    std::map<std::string, std::vector<float>>& m_values;
    int64_t m_begin;
    int64_t m_end;
    float m_scale;
};

}  // namespace

std::map<std::string, std::vector<float>> naiveAttention(const kernels::Context& cpu, AttentionCase::Shape shape,
                                                         uint64_t seed) {
    WB_CHECK(!shape.hasDistanceBias, "the plain computation knows no bias");
    shape.dtype = DType::BF16;
    const AttentionCase attention(cpu, shape, seed);
    std::map<std::string, std::vector<float>> values;
    for (const char* name : {"q", "k", "v", "dOut"}) values[name] = core::toFloats(cpu, attention.operand(name));
    for (const auto& [name, tensor] : attention.results())
        values[name].assign(static_cast<size_t>(tensor.count()), 0.0F);
    for (size_t i = 0; i + 1 < attention.bounds().size(); ++i)
        Sequence(shape, values, attention.bounds()[i], attention.bounds()[i + 1]).compute();
    for (const char* name : {"dQ", "dK", "dV"}) std::ranges::for_each(values[name], [](float& v) { v = rounded(v); });
    for (const char* name : {"q", "k", "v", "dOut"}) values.erase(name);
    return values;
}

}  // namespace wb::app
