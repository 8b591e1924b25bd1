#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds with the address and undefined-behaviour sanitizers and runs the unit tests: sanitize.sh [CTEST_ARGUMENT...]
#
# The whole-path tests, which train for minutes, are left out; name them to run them: sanitize.sh -R whole_path.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"

# Leaks of libraries that keep their tables until exit are listed, all others fail.
export ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:${ASAN_OPTIONS:-}"
export LSAN_OPTIONS="suppressions=$project_root/packaging/leaks.supp:print_suppressions=0:${LSAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"

arguments=("$@")
(($# > 0)) || arguments=(-LE 'slow')
WHETBENCH_PRESET=dev-asan packaging/test.sh "${arguments[@]}"
