// SPDX-License-Identifier: Apache-2.0
#include "adapters/adapted_table.h"

#include "kernels/column_scale.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"

#include <cmath>
#include <vector>

namespace wb::adapters {
namespace {

using core::Tensor;
using kernels::MemoryOwner;

enum class Along { Rows, Columns };

// magnitude / length of each row or column; 0 where the length is 0.
std::vector<float> gainsOf(const std::vector<float>& values, const std::vector<float>& magnitude, size_t columns,
                           Along along) {
    std::vector<double> squares(magnitude.size());
    for (size_t i = 0; i < values.size(); ++i) {
        const double value = values[i];
        squares[along == Along::Rows ? i / columns : i % columns] += value * value;
    }
    std::vector<float> gains(magnitude.size());
    for (size_t i = 0; i < gains.size(); ++i) {
        if (squares[i] > 0) gains[i] = static_cast<float>(static_cast<double>(magnitude[i]) / std::sqrt(squares[i]));
    }
    return gains;
}

void scaleToMagnitude(const kernels::Context& context, const TableUpdate& update, const Tensor& rows, Along along) {
    if (!update.magnitude.isPresent()) return;
    const std::vector<float> gains = gainsOf(core::toFloats(context, rows), core::toFloats(context, update.magnitude),
                                             static_cast<size_t>(rows.shape()[1]), along);
    if (along == Along::Rows) {
        for (size_t i = 0; i < gains.size(); ++i) {
            const auto row = static_cast<int64_t>(i);
            const kernels::View view = rows.rows(row, row + 1).view();
            kernels::scale(context, {.x = view, .out = view, .factor = gains[i]});
        }
        return;
    }
    const Tensor gain = Tensor::empty(context, core::gradientDtype(rows.dtype()),
                                      Shape{static_cast<int64_t>(gains.size())}, MemoryOwner::Workspace);
    core::assignFloats(context, gain, gains);
    kernels::columnScaleForward(context, {.x = rows.view(), .gain = gain.view(), .bias = {}, .out = rows.view()});
}

Tensor transposed(const kernels::Context& context, const Tensor& matrix) {
    const auto rows = static_cast<size_t>(matrix.shape()[0]);
    const auto columns = static_cast<size_t>(matrix.shape()[1]);
    const std::vector<float> values = core::toFloats(context, matrix);
    std::vector<float> turned(values.size());
    for (size_t i = 0; i < values.size(); ++i) turned[(i % columns) * rows + i / columns] = values[i];
    Tensor out =
        Tensor::empty(context, matrix.dtype(), Shape{matrix.shape()[1], matrix.shape()[0]}, MemoryOwner::Workspace);
    core::assignFloats(context, out, turned);
    return out;
}

}  // namespace

void applyToHead(const kernels::Context& context, const TableUpdate& update, const Tensor& table) {
    const Tensor rows = table.rows(0, update.b.shape()[0]);
    kernels::linearBackwardInput(context, {.dOut = update.b.view(),
                                           .weight = update.a.view(),
                                           .dX = rows.view(),
                                           .alpha = update.scale,
                                           .write = kernels::Write::Add});
    scaleToMagnitude(context, update, rows, Along::Rows);
}

void applyToEmbedding(const kernels::Context& context, const TableUpdate& update, const Tensor& table) {
    const Tensor rows = table.rows(0, update.a.shape()[1]);
    const Tensor byRow = transposed(context, update.a);
    kernels::linearForward(context, {.x = byRow.view(),
                                     .weight = update.b.view(),
                                     .out = rows.view(),
                                     .alpha = update.scale,
                                     .write = kernels::Write::Add});
    scaleToMagnitude(context, update, rows, Along::Columns);
}

}  // namespace wb::adapters
