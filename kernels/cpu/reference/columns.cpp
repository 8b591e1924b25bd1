// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu::reference {
namespace {

// Calls body(position in part, position in the matrix) for every element of the part, in order.
template <class Body>
void forSlots(const Shape& part, int64_t columns, std::span<const int32_t> starts, const Body& body) {
    const int64_t slots = part[1];
    const int64_t width = part[2];
    for (int64_t t = 0; t < part[0]; ++t) {
        for (int64_t n = 0; n < slots; ++n) {
            for (int64_t i = 0; i < width; ++i) {
                body((t * slots + n) * width + i, t * columns + starts[static_cast<size_t>(n)] + i);
            }
        }
    }
}

}  // namespace

void gatherColumns(const Context& /*context*/, const GatherColumnsArgs& args) {
    withStorage(args.x.dtype, [&]<class T>() {
        forSlots(args.out.shape, args.x.shape[1], args.starts,
                 [&](int64_t to, int64_t from) { args.out.as<T>()[to] = args.x.as<T>()[from]; });
    });
}

void scatterAddColumns(const Context& /*context*/, const ScatterAddColumnsArgs& args) {
    withStorage(args.dX.dtype, [&]<class T>() {
        forSlots(args.part.shape, args.dX.shape[1], args.starts, [&](int64_t from, int64_t to) {
            T& target = args.dX.as<T>()[to];
            target = narrow<T>(widen(target) + widen(args.part.as<T>()[from]));
        });
    });
}

}  // namespace wb::kernels::cpu::reference
