// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace wb::benchmarks {

// Attention of one sequence, from the type of cases that its tests use: every backend and pass, F32 and BF16.
void addAttentionBenchmarks();

}  // namespace wb::benchmarks
