#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds one preset of CMakePresets.json into build/PRESET: build.sh [PRESET] [TARGET...], default: release, everything.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"

preset=${1:-release}
shift $(($# > 0 ? 1 : 0))
build="build/$preset"

# Paths inside the checkout count as relative, so that a second checkout finds the objects of the first.
export CCACHE_BASEDIR=$project_root CCACHE_NOHASHDIR=1

# Ninja itself re-runs CMake when a CMake file changed; only the presets are beyond its sight.
if [[ ! -f $build/build.ninja ]] || ! cmp -s CMakePresets.json "$build/presets-used.json"; then
    phase "Configure ($preset)"
    mkdir -p "$build"
    if ! cmake --preset "$preset" >"$build/configure.log" 2>&1; then
        cat "$build/configure.log" >&2
        fail "CMake could not configure; if a library is missing, run packaging/install-dependencies.sh"
    fi
    cp CMakePresets.json "$build/presets-used.json"
    finish
fi

jobs=$(parallel_jobs)
targets=()
(($# > 0)) && targets=(--target "$@")
phase "Build ($preset, $jobs at a time)"

# One line per tenth of the way, and every line that is not progress: warnings and errors.
progress() {
    awk '{
        if (match($0, /^\[ *[0-9]+%/)) {
            percent = substr($0, 2, RLENGTH - 2) + 0
            if (int(percent / 10) > shown) { shown = int(percent / 10); print "    " substr($0, 1, index($0, "]")); fflush() }
        } else if ($0 != "ninja: no work to do.") { print; fflush() }
    }'
}
NINJA_STATUS='[%p %f/%t] ' cmake --build "$build" --parallel "$jobs" "${targets[@]}" 2>&1 | tee "$build/build.log" | progress
if grep -q 'ninja: no work to do' "$build/build.log"; then
    finish "nothing to build"
else
    finish "$(grep -cE '^\[ *[0-9]+%' "$build/build.log") steps"
fi
