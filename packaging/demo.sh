#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to the finished main job: installs what is missing, builds, tunes the bundled model on the bundled
# sample, compares base and tuned, exports. demo.sh [--headless]
#
# With a display the workbench opens on the run; with --headless or without one the comparison is printed.
# Either way demo-report.html holds it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"

headless=0
case "${1:-}" in
    "") ;;
    --headless) headless=1 ;;
    *) fail "unknown option '$1'; usage: demo.sh [--headless]" 2 ;;
esac
[[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] && headless=1

packaging/install-dependencies.sh
packaging/build.sh release whet whetbench

bin="build/release/bin"
library="build/demo-library"
result="build/demo.json"
phase "Main job: tune, compare, export"
"$bin/whet" --library "$library" demo --json --report demo-report.html >"$result" || {
    cat "$result" >&2
    fail "the main job failed; its messages are above"
}
cmake -D "RESULT=$result" -P packaging/show_demo.cmake
finish "report in demo-report.html"

if ((headless == 0)); then
    run=$(cmake -D "RESULT=$result" -D FIELD=run_dir -P packaging/show_demo.cmake)
    printf '==> Opening the workbench on %s\n' "$run"
    exec "$bin/whetbench" --library "$library" --run "$run"
fi
