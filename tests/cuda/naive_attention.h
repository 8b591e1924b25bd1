// SPDX-License-Identifier: Apache-2.0
// Attention as a chain of matrix products and a softmax that each round their result to T: what a fused kernel has to
// be at least half as exact as.
#pragma once

#include "tests/kernels/attention_case.h"

#include <cmath>
#include <vector>

namespace wb::kernels::testing {

template <class T>
class NaiveAttention {
public:
    explicit NaiveAttention(AttentionData<T>& data) : m_data(data) {}

    // Fills out, dQ, dK and dV of the data; dBias for a table or dense bias, from zero.
    void run() {
        const AttentionCase& c = m_data.problem;
        std::fill(m_data.dBias.begin(), m_data.dBias.end(), 0.0F);
        m_dK.assign(m_data.k.size(), 0.0F);
        m_dV.assign(m_data.v.size(), 0.0F);
        for (size_t b = 0; b < c.queryLengths.size(); ++b) {
            for (int64_t head = 0; head < c.numHeads; ++head) runHead(b, head);
        }
        for (size_t i = 0; i < m_dK.size(); ++i) {
            m_data.dK[i] = static_cast<T>(m_dK[i]);
            m_data.dV[i] = static_cast<T>(m_dV[i]);
        }
    }

private:
    static float rounded(float x) { return static_cast<float>(static_cast<T>(x)); }

    // Entry of the bias that a pair reads; -1: none.
    int64_t biasIndex(int64_t head, int64_t row, int64_t position, int64_t key) const {
        const Shape& shape = m_data.shapeBias;
        switch (m_data.problem.options.bias) {
            case AttentionBias::DistanceTable:
                return head * shape[1] + std::clamp<int64_t>(key - position + shape[1] / 2, 0, shape[1] - 1);
            case AttentionBias::Alibi: return head;
            case AttentionBias::Dense: return (head * shape[1] + row) * shape[2] + key;
            default: return -1;
        }
    }

    bool sees(int64_t position, int64_t key) const {
        const AttentionOptions& options = m_data.problem.options;
        if (options.isCausal && key > position) return false;
        if (options.windowLeft >= 0 && key < position - options.windowLeft) return false;
        return options.windowRight < 0 || key <= position + options.windowRight;
    }

    static float dot(const T* a, const T* b, int64_t count) {
        float sum = 0;
        for (int64_t i = 0; i < count; ++i) sum += static_cast<float>(a[i]) * static_cast<float>(b[i]);
        return sum;
    }

    void runHead(size_t b, int64_t head) {
        const AttentionCase& c = m_data.problem;
        const int64_t dim = c.headDim;
        const float scale = c.options.scale != 0 ? c.options.scale : 1.0F / std::sqrt(static_cast<float>(dim));
        const int64_t keyHead = head / (c.numHeads / c.keyValueHeads);
        const int64_t numKeys = c.keyLengths[b];
        std::vector<float> p(static_cast<size_t>(numKeys));
        std::vector<float> slopes(p.size());
        for (int64_t i = 0; i < c.queryLengths[b]; ++i) {
            const int64_t row = m_data.boundsQ[b] + i;
            const int64_t position = i + numKeys - c.queryLengths[b];
            const int64_t at = (row * c.numHeads + head) * dim;
            const auto keyAt = [&](int64_t j) { return ((m_data.boundsK[b] + j) * c.keyValueHeads + keyHead) * dim; };
            float largest = -INFINITY;
            for (int64_t j = 0; j < numKeys; ++j) {
                const auto e = static_cast<size_t>(j);
                p[e] = -INFINITY;
                if (!sees(position, j)) continue;
                float s = rounded(
                    dot(&m_data.q[static_cast<size_t>(at)], &m_data.k[static_cast<size_t>(keyAt(j))], dim) * scale);
                slopes[e] = 1;
                if (c.options.softCap != 0) {
                    const float t = rounded(std::tanh(s / c.options.softCap));
                    slopes[e] = 1 - t * t;
                    s = rounded(c.options.softCap * t);
                }
                if (const int64_t index = biasIndex(head, row, position, j); index >= 0) {
                    const float bias = static_cast<float>(m_data.bias[static_cast<size_t>(index)]);
                    const bool isAlibi = c.options.bias == AttentionBias::Alibi;
                    s = rounded(s + (isAlibi ? -bias * static_cast<float>(std::abs(position - j)) : bias));
                }
                p[e] = s;
                largest = std::max(largest, s);
            }
            float sum = 0;
            for (float& x : p) {
                x = largest == -INFINITY ? 0.0F : std::exp(x - largest);
                sum += x;
            }
            for (float& x : p) x = sum == 0 ? 0.0F : rounded(x / sum);
            backwardRow(head, row, position, at, keyAt, p, slopes, scale);
        }
    }

    template <class KeyAt>
    void backwardRow(int64_t head, int64_t row, int64_t position, int64_t at, const KeyAt& keyAt,
                     const std::vector<float>& p, const std::vector<float>& slopes, float scale) {
        const AttentionCase& c = m_data.problem;
        const auto dim = static_cast<size_t>(c.headDim);
        const auto start = static_cast<size_t>(at);
        std::vector<float> out(dim);
        std::vector<float> dQ(dim);
        std::vector<float> dP(p.size());
        float delta = 0;
        for (size_t j = 0; j < p.size(); ++j) {
            if (p[j] == 0) continue;
            const auto key = static_cast<size_t>(keyAt(static_cast<int64_t>(j)));
            for (size_t d = 0; d < dim; ++d) out[d] += p[j] * static_cast<float>(m_data.v[key + d]);
            dP[j] = rounded(dot(&m_data.dOut[start], &m_data.v[key], c.headDim));
            delta += p[j] * dP[j];
        }
        for (size_t j = 0; j < p.size(); ++j) {
            if (p[j] == 0) continue;
            const auto key = static_cast<size_t>(keyAt(static_cast<int64_t>(j)));
            const float dS = rounded(p[j] * (dP[j] - delta));
            if (m_data.hasBiasGradient()) {
                m_data.dBias[static_cast<size_t>(biasIndex(head, row, position, static_cast<int64_t>(j)))] += dS;
            }
            const float dProduct = rounded(rounded(dS * slopes[j]) * scale);
            for (size_t d = 0; d < dim; ++d) {
                dQ[d] += dProduct * static_cast<float>(m_data.k[key + d]);
                m_dK[key + d] += dProduct * static_cast<float>(m_data.q[start + d]);
                m_dV[key + d] += p[j] * static_cast<float>(m_data.dOut[start + d]);
            }
        }
        for (size_t d = 0; d < dim; ++d) {
            m_data.out[start + d] = static_cast<T>(out[d]);
            m_data.dQ[start + d] = static_cast<T>(dQ[d]);
        }
    }

    AttentionData<T>& m_data;
    std::vector<float> m_dK;
    std::vector<float> m_dV;
};

}  // namespace wb::kernels::testing
