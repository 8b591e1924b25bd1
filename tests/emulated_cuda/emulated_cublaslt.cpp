// SPDX-License-Identifier: Apache-2.0
// cuBLASLt for the emulated GPU. It takes descriptors at their word: matrices are column-major with the sizes, strides
// and types that the layouts say. An algorithm remembers what it was chosen for and refuses anything else, so that a
// cache with too small a key shows; it writes both ends of the workspace that it asked for, so that one too small
// shows.
#include "tests/emulated_cuda/include/cublasLt.h"

#include "tests/emulated_cuda/include/cuda_bf16.h"
#include "tests/emulated_cuda/include/cuda_fp16.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

struct Layout {
    int32_t type;
    int32_t batch;
    uint64_t rows;
    uint64_t columns;
    int64_t leading;
    int64_t batchStride;
};
struct Operation {
    int32_t transA;
    int32_t transB;
    int32_t epilogue;
    int32_t biasType;
    const void* bias;
};
struct Preference {
    uint64_t workspaceBytes;
    uint32_t reductions;
    uint32_t alignments[4];
};
struct Algorithm {
    uint64_t problem;
    uint64_t workspaceBytes;
    uint32_t alignments[4];
};
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));
static_assert(sizeof(Operation) <= sizeof(cublasLtMatmulDescOpaque_t));
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

// What an opaque structure holds, and how it is put there.
template <class Content, class Opaque>
Content contentOf(const Opaque& opaque) {
    Content content;
    std::memcpy(&content, &opaque, sizeof(content));
    return content;
}
template <class Content, class Opaque>
void store(Opaque& opaque, const Content& content) {
    std::memcpy(&opaque, &content, sizeof(content));
}

template <class T>
cublasStatus_t assign(T& target, const void* value, size_t bytes) {
    if (bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&target, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

struct Problem {
    Layout a, b, c;
    Operation operation;
    uint64_t m, n, k;

    uint64_t fingerprint() const {
        const auto words = {static_cast<uint64_t>(a.type),
                            a.rows,
                            a.columns,
                            static_cast<uint64_t>(a.leading),
                            static_cast<uint64_t>(a.batchStride),
                            b.rows,
                            b.columns,
                            static_cast<uint64_t>(b.leading),
                            static_cast<uint64_t>(b.batchStride),
                            static_cast<uint64_t>(c.type),
                            static_cast<uint64_t>(c.leading),
                            static_cast<uint64_t>(c.batchStride),
                            static_cast<uint64_t>(c.batch),
                            static_cast<uint64_t>(operation.transA),
                            static_cast<uint64_t>(operation.transB),
                            static_cast<uint64_t>(operation.epilogue)};
        uint64_t hash = 1469598103934665603ULL;
        for (const uint64_t word : words) hash = (hash ^ word) * 1099511628211ULL;
        return hash;
    }
};

bool isBatchOf(const Layout& layout, int32_t batch) {
    return layout.batch == batch && layout.leading >= static_cast<int64_t>(layout.rows) && layout.rows > 0 &&
           layout.columns > 0;
}

// The table of types in the library's description of cublasLtMatmul, as far as CUBLAS_COMPUTE_32F goes.
cublasStatus_t describe(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                        cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, Problem& out) {
    out = {
        contentOf<Layout>(*a), contentOf<Layout>(*b), contentOf<Layout>(*c), contentOf<Operation>(*operation), 0, 0, 0};
    if (std::memcmp(c, d, sizeof(Layout)) != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
    const bool isTransposedA = out.operation.transA == CUBLAS_OP_T;
    const bool isTransposedB = out.operation.transB == CUBLAS_OP_T;
    out.m = isTransposedA ? out.a.columns : out.a.rows;
    out.k = isTransposedA ? out.a.rows : out.a.columns;
    out.n = isTransposedB ? out.b.rows : out.b.columns;
    if (out.k != (isTransposedB ? out.b.columns : out.b.rows)) return CUBLAS_STATUS_INVALID_VALUE;
    if (out.c.rows != out.m || out.c.columns != out.n) return CUBLAS_STATUS_INVALID_VALUE;
    if (!isBatchOf(out.a, out.c.batch) || !isBatchOf(out.b, out.c.batch) || !isBatchOf(out.c, out.c.batch)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (out.a.type != out.b.type) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (out.c.type != out.a.type && out.c.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (out.operation.epilogue == CUBLASLT_EPILOGUE_BIAS &&
        (out.operation.biasType != out.c.type || out.operation.bias == nullptr)) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    return CUBLAS_STATUS_SUCCESS;
}

float valueAt(const void* data, int32_t type, uint64_t index) {
    switch (type) {
        case CUDA_R_16F: return __half2float(static_cast<const __half*>(data)[index]);
        case CUDA_R_16BF: return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[index]);
        default: return static_cast<const float*>(data)[index];
    }
}
void setValue(void* data, int32_t type, uint64_t index, float value) {
    switch (type) {
        case CUDA_R_16F: static_cast<__half*>(data)[index] = __float2half_rn(value); break;
        case CUDA_R_16BF: static_cast<__nv_bfloat16*>(data)[index] = __float2bfloat16_rn(value); break;
        default: static_cast<float*>(data)[index] = value;
    }
}

// op(matrix) of one batch with its first index running slowest: [outer, k].
std::vector<float> unfolded(const void* data, const Layout& layout, bool isOuterRows, int32_t batch) {
    const uint64_t outer = isOuterRows ? layout.rows : layout.columns;
    const uint64_t inner = isOuterRows ? layout.columns : layout.rows;
    const auto start = static_cast<uint64_t>(batch * layout.batchStride);
    std::vector<float> values(outer * inner);
    for (uint64_t i = 0; i < outer; ++i) {
        for (uint64_t j = 0; j < inner; ++j) {
            const uint64_t row = isOuterRows ? i : j;
            const uint64_t column = isOuterRows ? j : i;
            values[i * inner + j] =
                valueAt(data, layout.type, start + column * static_cast<uint64_t>(layout.leading) + row);
        }
    }
    return values;
}

float dot(const float* x, const float* y, uint64_t count) {
    constexpr uint64_t kLanes = 16;
    float sums[kLanes] = {};
    uint64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (uint64_t lane = 0; lane < kLanes; ++lane) sums[lane] += x[i + lane] * y[i + lane];
    }
    for (; i < count; ++i) sums[i % kLanes] += x[i] * y[i];
    float total = 0;
    for (const float sum : sums) total += sum;
    return total;
}

struct Operands {
    float alpha, beta;
    const void* a;
    const void* b;
    void* c;
};

void multiply(const Problem& p, const Operands& o) {
    const bool hasBias = p.operation.epilogue == CUBLASLT_EPILOGUE_BIAS;
    for (int32_t batch = 0; batch < p.c.batch; ++batch) {
        const std::vector<float> a = unfolded(o.a, p.a, p.operation.transA == CUBLAS_OP_N, batch);
        const std::vector<float> b = unfolded(o.b, p.b, p.operation.transB == CUBLAS_OP_T, batch);
        const auto start = static_cast<uint64_t>(batch * p.c.batchStride);
        for (uint64_t column = 0; column < p.n; ++column) {
            for (uint64_t row = 0; row < p.m; ++row) {
                const uint64_t index = start + column * static_cast<uint64_t>(p.c.leading) + row;
                float value = o.alpha * dot(a.data() + row * p.k, b.data() + column * p.k, p.k);
                if (o.beta != 0.0F) value += o.beta * valueAt(o.c, p.c.type, index);
                if (hasBias) value += valueAt(p.operation.bias, p.operation.biasType, row);
                setValue(o.c, p.c.type, index, value);
            }
        }
    }
}

bool isAligned(const void* pointer, uint32_t bytes) {
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

}  // namespace

const char* cublasLtGetStatusString(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS: return "success";
        case CUBLAS_STATUS_INVALID_VALUE: return "invalid value";
        default: return "not supported";
    }
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = nullptr;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t /*handle*/) {
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutInit(cublasLtMatrixLayout_t layout, cudaDataType_t type, uint64_t rows,
                                        uint64_t columns, int64_t leading) {
    store(*layout, Layout{type, 1, rows, columns, leading, 0});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t which,
                                                const void* value, size_t bytes) {
    auto content = contentOf<Layout>(*layout);
    const cublasStatus_t status = which == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT
                                      ? assign(content.batch, value, bytes)
                                      : assign(content.batchStride, value, bytes);
    store(*layout, content);
    return status;
}
cublasStatus_t cublasLtMatmulDescInit(cublasLtMatmulDesc_t operation, cublasComputeType_t /*compute*/,
                                      cudaDataType_t scale) {
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    store(*operation, Operation{CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, -1, nullptr});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t which,
                                              const void* value, size_t bytes) {
    auto content = contentOf<Operation>(*operation);
    cublasStatus_t status = CUBLAS_STATUS_INVALID_VALUE;
    switch (which) {
        case CUBLASLT_MATMUL_DESC_TRANSA: status = assign(content.transA, value, bytes); break;
        case CUBLASLT_MATMUL_DESC_TRANSB: status = assign(content.transB, value, bytes); break;
        case CUBLASLT_MATMUL_DESC_EPILOGUE: status = assign(content.epilogue, value, bytes); break;
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER: status = assign(content.bias, value, bytes); break;
        case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: status = assign(content.biasType, value, bytes); break;
    }
    store(*operation, content);
    return status;
}
cublasStatus_t cublasLtMatmulPreferenceInit(cublasLtMatmulPreference_t preference) {
    store(*preference, Preference{0, 7, {256, 256, 256, 256}});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t which, const void* value,
                                                    size_t bytes) {
    auto content = contentOf<Preference>(*preference);
    cublasStatus_t status = CUBLAS_STATUS_INVALID_VALUE;
    switch (which) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: status = assign(content.workspaceBytes, value, bytes); break;
        case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: status = assign(content.reductions, value, bytes); break;
        default: {
            const int index = which - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
            status = assign(content.alignments[index], value, bytes);
        }
    }
    store(*preference, content);
    return status;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results, int* count) {
    *count = 0;
    Problem problem{};
    if (const cublasStatus_t status = describe(operation, a, b, c, d, problem); status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    const auto wishes = contentOf<Preference>(*preference);
    // Adding partial sums in the output would round them; an engine that repeats its bits must not allow it.
    if (wanted < 1 || (wishes.reductions & ~uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}) != 0) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    Algorithm algorithm{problem.fingerprint(), wishes.workspaceBytes, {}};
    std::memcpy(algorithm.alignments, wishes.alignments, sizeof(algorithm.alignments));
    results[0] = {};
    store(results[0].algo, algorithm);
    results[0].workspaceSize = wishes.workspaceBytes;
    *count = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t layoutA, const void* b,
                              cublasLtMatrixLayout_t layoutB, const void* beta, const void* c,
                              cublasLtMatrixLayout_t layoutC, void* d, cublasLtMatrixLayout_t layoutD,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t workspaceBytes,
                              cudaStream_t stream) {
    Problem problem{};
    if (const cublasStatus_t status = describe(operation, layoutA, layoutB, layoutC, layoutD, problem);
        status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    const auto chosen = contentOf<Algorithm>(*algorithm);
    if (chosen.problem != problem.fingerprint() || workspaceBytes < chosen.workspaceBytes || c != d ||
        !isAligned(workspace, 16)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    const void* addresses[4] = {a, b, c, d};
    for (int i = 0; i < 4; ++i) {
        if (!isAligned(addresses[i], chosen.alignments[i])) return CUBLAS_STATUS_INVALID_VALUE;
    }
    Operands operands{0, 0, a, b, d};
    std::memcpy(&operands.alpha, alpha, sizeof(float));
    std::memcpy(&operands.beta, beta, sizeof(float));
    emulated::enqueue(stream, [=] {
        const size_t touched = std::min<size_t>(workspaceBytes, 4096);
        std::memset(workspace, 0x7F, touched);
        std::memset(static_cast<unsigned char*>(workspace) + workspaceBytes - touched, 0x7F, touched);
        multiply(problem, operands);
    });
    return CUBLAS_STATUS_SUCCESS;
}
