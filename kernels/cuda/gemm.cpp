// SPDX-License-Identifier: Apache-2.0
// The library thinks in columns: a row-major matrix is its transpose there, and c = a b is computed as c' = b' a'.
#include "kernels/cuda/gemm.h"

#include <algorithm>
#include <string>

namespace wb::kernels::cuda {
namespace {

// What the library's documentation advises for compute capability 9.0, where it asks for the most.
constexpr size_t kMaxWorkspaceBytes = size_t{32} << 20;
// A product cut along k keeps one partial sum a cut; more cuts than this do not pay.
constexpr int64_t kMaxCuts = 32;
constexpr size_t kMaxPlans = 4096;  // lengths of texts vary; forgotten choices are made again the same
constexpr uint32_t kAlignmentThatHelps = 256;

void checkBlas(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error{ErrorCode::Device, std::string("cuBLASLt: ") + what + " failed: " + cublasLtGetStatusString(status)};
}

cudaDataType_t typeOf(DType dtype) {
    switch (dtype) {
        case DType::F32: return CUDA_R_32F;
        case DType::BF16: return CUDA_R_16BF;
        case DType::F16: return CUDA_R_16F;
        default: failDtype("matrix product", dtype);
    }
}

// Of the first element, in steps that make a difference.
uint32_t alignmentOf(const void* pointer) {
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    if (address % kAlignmentThatHelps == 0) return kAlignmentThatHelps;
    return static_cast<uint32_t>(std::min<uintptr_t>(16, address & (~address + 1)));
}

template <class T>
void set(cublasLtMatmulDescOpaque_t& operation, cublasLtMatmulDescAttributes_t attribute, const T& value) {
    checkBlas(cublasLtMatmulDescSetAttribute(&operation, attribute, &value, sizeof(value)), "describing a product");
}
template <class T>
void set(cublasLtMatmulPreferenceOpaque_t& preference, cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    checkBlas(cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof(value)),
              "describing a product");
}

// A row-major matrix [rows, columns].
cublasLtMatrixLayoutOpaque_t layoutOf(DType dtype, int64_t rows, int64_t columns, int64_t stride, int64_t batch,
                                      int64_t batchStride) {
    cublasLtMatrixLayoutOpaque_t layout{};
    // A single row may have any stride; the library wants one that holds it.
    const int64_t leading = std::max(stride, columns);
    checkBlas(cublasLtMatrixLayoutInit(&layout, typeOf(dtype), static_cast<uint64_t>(columns),
                                       static_cast<uint64_t>(rows), leading),
              "describing a matrix");
    const auto count = static_cast<int32_t>(batch);
    checkBlas(cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
              "describing a batch");
    checkBlas(cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &batchStride,
                                               sizeof(batchStride)),
              "describing a batch");
    return layout;
}

}  // namespace

size_t gemmWorkspaceBytes(int64_t m, int64_t n, int64_t batch) {
    const auto partialSums = static_cast<size_t>(m * n * batch * kMaxCuts) * sizeof(float);
    return std::min(kMaxWorkspaceBytes, partialSums);
}

Gemm::Gemm() {
    checkBlas(cublasLtCreate(&m_handle), "making a handle");
}

Gemm::~Gemm() {
    cublasLtDestroy(m_handle);
}

Gemm::Key Gemm::keyOf(const GemmProblem& p) {
    return {p.m,
            p.n,
            p.k,
            p.strideA,
            p.strideB,
            p.strideC,
            p.isTransposedA,
            p.isTransposedB,
            p.bias != nullptr,
            static_cast<int64_t>(p.inputs),
            static_cast<int64_t>(p.output),
            p.batch,
            p.batchStrideA,
            p.batchStrideB,
            p.batchStrideC,
            alignmentOf(p.a),
            alignmentOf(p.b),
            alignmentOf(p.c),
            alignmentOf(p.bias)};
}

Gemm::Plan Gemm::makePlan(const GemmProblem& p) const {
    Plan plan{};
    plan.a = layoutOf(p.inputs, p.isTransposedA ? p.k : p.m, p.isTransposedA ? p.m : p.k, p.strideA, p.batch,
                      p.batchStrideA);
    plan.b = layoutOf(p.inputs, p.isTransposedB ? p.n : p.k, p.isTransposedB ? p.k : p.n, p.strideB, p.batch,
                      p.batchStrideB);
    plan.c = layoutOf(p.output, p.m, p.n, p.strideC, p.batch, p.batchStrideC);
    checkBlas(cublasLtMatmulDescInit(&plan.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
    set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, p.isTransposedB ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSB, p.isTransposedA ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (p.bias != nullptr) {
        set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
        set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(typeOf(p.output)));
        set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    }

    cublasLtMatmulPreferenceOpaque_t preference{};
    checkBlas(cublasLtMatmulPreferenceInit(&preference), "describing a product");
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        static_cast<uint64_t>(gemmWorkspaceBytes(p.m, p.n, p.batch)));
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignmentOf(p.b));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignmentOf(p.a));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignmentOf(p.c));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignmentOf(p.c));
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    checkBlas(cublasLtMatmulAlgoGetHeuristic(m_handle, &plan.operation, &plan.b, &plan.a, &plan.c, &plan.c, &preference,
                                             1, &found, &count),
              "choosing an algorithm");
    if (count == 0) checkBlas(CUBLAS_STATUS_NOT_SUPPORTED, "choosing an algorithm");
    plan.algorithm = found.algo;
    plan.workspaceBytes = found.workspaceSize;
    return plan;
}

Gemm::Plan& Gemm::planOf(const GemmProblem& problem) {
    const Key key = keyOf(problem);
    if (const auto found = m_plans.find(key); found != m_plans.end()) return found->second;
    if (m_plans.size() >= kMaxPlans) m_plans.clear();
    return m_plans.emplace(key, makePlan(problem)).first->second;
}

void Gemm::multiply(const Stream& stream, const GemmProblem& problem, void* workspace) {
    if (problem.m == 0 || problem.n == 0 || problem.batch == 0) return;
    Plan& plan = planOf(problem);
    if (problem.bias != nullptr) set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, problem.bias);
    const float beta = problem.accumulates ? 1.0F : 0.0F;
    checkBlas(cublasLtMatmul(m_handle, &plan.operation, &problem.alpha, problem.b, &plan.b, problem.a, &plan.a, &beta,
                             problem.c, &plan.c, problem.c, &plan.c, &plan.algorithm, workspace, plan.workspaceBytes,
                             stream.handle()),
              "a matrix product");
}

}  // namespace wb::kernels::cuda
