// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace wb::app {

// Makes the threads of the kernels go to sleep soon after they ran out of work. OpenMP reads its settings before main,
// so this starts the program again, once, in the same process and with the same arguments; what the user set himself
// (OMP_WAIT_POLICY or GOMP_SPINCOUNT) stays. Call first in main. Does nothing if the program cannot be started again.
void restartWithShortSpin(char** arguments);

}  // namespace wb::app
