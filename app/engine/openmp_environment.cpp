// SPDX-License-Identifier: Apache-2.0
#include "app/engine/openmp_environment.h"

#include <unistd.h>

#include <cstdlib>

namespace wb::app {
namespace {

// By default a waiting thread spins for some milliseconds. With another program on the same cores it then keeps the
// thread it waits for from running: measured 160 s against 10 s for the same work on two busy cores. This many turns
// are about 30 microseconds, which still spans the gaps between the ops of one decoded token.
constexpr const char* kSpinCount = "2000";

}  // namespace

void restartWithShortSpin(char** arguments) {
    if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
    if (::setenv("GOMP_SPINCOUNT", kSpinCount, 1) != 0) return;
    ::execv("/proc/self/exe", arguments);
}

}  // namespace wb::app
