// SPDX-License-Identifier: Apache-2.0
#include "kernels/row_norm.h"

#include "kernels/base/error.h"
#include "kernels/runtime/runtime.h"

#include <gtest/gtest.h>
#include <cmath>
#include <vector>

namespace wb::kernels {
namespace {

template <class T>
std::vector<T> inverseNorms(const std::vector<T>& x, int64_t rows, DType dtype) {
    const Runtime runtime({.numThreads = 2});
    std::vector<T> values = x;
    std::vector<T> inverse(static_cast<size_t>(rows), T{-1});
    const auto columns = rows == 0 ? int64_t{4} : static_cast<int64_t>(x.size()) / rows;
    rowNorm(runtime.context(), {.x = ConstView(View{values.data(), dtype, Shape{rows, columns}}),
                                .inverse = View{inverse.data(), dtype, Shape{rows}}});
    return inverse;
}

TEST(RowNorm, isOneOverTheLengthOfEachRow) {
    EXPECT_EQ(inverseNorms<float>({3, 4, 0, 0, 0, -2}, 3, DType::F32), (std::vector<float>{0.2F, 0.0F, 0.5F}))
        << "a row of zeros has no direction and stays zero";
    EXPECT_EQ(inverseNorms<double>({3, -4, 12}, 1, DType::F64), (std::vector<double>{1.0 / 13}));
    EXPECT_TRUE(inverseNorms<float>({}, 0, DType::F32).empty());
}

TEST(RowNorm, sumsLongRowsExactly) {
    // A sum in F32 would stop growing at 2^24.
    const std::vector<float> ones(2 * (size_t{1} << 25), 1.0F);
    const std::vector<float> inverse = inverseNorms<float>(ones, 2, DType::F32);
    EXPECT_FLOAT_EQ(inverse[0], static_cast<float>(1 / std::sqrt(std::ldexp(1.0, 25))));
    EXPECT_EQ(inverse[0], inverse[1]);
}

TEST(RowNorm, refusesWrongShapesAndTypes) {
    const Runtime runtime({.numThreads = 1});
    std::vector<float> x(6);
    std::vector<float> out(3);
    const View rows{x.data(), DType::F32, Shape{2, 3}};
    EXPECT_THROW(rowNorm(runtime.context(), {.x = rows, .inverse = View{out.data(), DType::F32, Shape{3}}}), Error);
    EXPECT_THROW(rowNorm(runtime.context(), {.x = View{x.data(), DType::BF16, Shape{2, 3}},
                                             .inverse = View{out.data(), DType::F32, Shape{2}}}),
                 Error);
}

}  // namespace
}  // namespace wb::kernels
