#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to tested: installs what is missing, builds, runs all tests. test.sh [CTEST_ARGUMENT...]
#
# WHETBENCH_PRESET chooses another preset than release. Tests that need a display draw offscreen.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"

preset=${WHETBENCH_PRESET:-release}
packaging/install-dependencies.sh
packaging/build.sh "$preset"

build="build/$preset"
log="$build/tests.log"
export QT_QPA_PLATFORM=${QT_QPA_PLATFORM:-offscreen}

phase "Test ($preset)"
status=0
ctest --test-dir "$build" --parallel "$(parallel_jobs)" --output-on-failure --no-tests=error \
    --output-junit tests.xml "$@" >"$log" 2>&1 || status=$?

passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" || true)
skipped=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*Skipped' "$log" || true)
if ((status != 0)); then
    # The output of the tests that failed, then their names.
    awk '/^ *[0-9]+\/[0-9]+ Test / { show = /\*\*\*/ && !/Skipped/ } show || /^(CMake|ctest|Errors|No tests)/' "$log" | sed -n 1,400p >&2
    sed -n '/The following tests FAILED/,$p' "$log" >&2
    fail "tests failed; all output is in $log"
fi
printf '    slowest:\n'
sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: (.*[^ .]) \.+ .* ([0-9.]+) sec$/\2 \1/p' "$log" | sort -rn |
    awk 'NR <= 5 { seconds = $1; $1 = ""; printf "    %7.1f s %s\n", seconds, $0 }'
if ((skipped > 0)); then
    printf '    skipped, for want of what they need:\n'
    sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: (.*[^ .]) \.+\*\*\*Skipped.*/      \1/p' "$log" | sed -n 1,20p
fi
finish "$passed passed, $skipped skipped, 0 failed"
