// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/reference/reference_ops.h"
#include "kernels/cpu/reference/storage.h"

namespace wb::kernels::cpu::reference {

void embeddingForward(const Context& context, const EmbeddingForwardArgs& args) {
    withStorage(args.out.dtype, [&]<class T>() {
        withElements<T>(context, args.table, [&](const auto* table) {
            const int64_t columns = args.table.shape[1];
            const auto* ids = args.ids.as<int32_t>();
            for (int64_t t = 0; t < args.ids.shape[0]; ++t) {
                const auto* row = table + ids[t] * columns;
                T* out = args.out.as<T>() + t * columns;
                for (int64_t c = 0; c < columns; ++c)
                    out[c] = narrow<T>(widen(row[c]) * static_cast<double>(args.scale));
            }
        });
    });
}

void embeddingBackward(const Context& /*context*/, const EmbeddingBackwardArgs& args) {
    withStorage(args.dOut.dtype, [&]<class T>() {
        const int64_t columns = args.dTable.shape[1];
        const auto* ids = args.ids.as<int32_t>();
        for (int64_t t = 0; t < args.ids.shape[0]; ++t) {
            if (ids[t] == args.untrainedId) continue;
            const T* dOut = args.dOut.as<T>() + t * columns;
            Sum<T>* dRow = args.dTable.as<Sum<T>>() + ids[t] * columns;
            for (int64_t c = 0; c < columns; ++c) {
                dRow[c] += static_cast<Sum<T>>(widen(dOut[c]) * static_cast<double>(args.scale));
            }
        }
    });
}

}  // namespace wb::kernels::cpu::reference
