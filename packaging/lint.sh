#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy by .clang-tidy on the sources that differ from a commit: lint.sh [--all | COMMIT], default: HEAD~1.
#
# Needs a configured build for its compile commands: WHETBENCH_PRESET (default release).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"
command -v clang-tidy >/dev/null || fail "clang-tidy is missing; run packaging/install-dependencies.sh --dev"

build="build/${WHETBENCH_PRESET:-release}"
commands="$build/compile_commands.json"
[[ -f $commands ]] || fail "$commands is missing; run packaging/build.sh ${WHETBENCH_PRESET:-release}"

if [[ ${1:-} == --all ]]; then
    mapfile -t files < <(git ls-files '*.cpp')
else
    base=${1:-HEAD~1}
    git rev-parse --quiet --verify "$base^{commit}" >/dev/null || fail "'$base' names no commit" 2
    mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- '*.cpp')
fi

# A source that this build leaves out (no workbench, no tests) has no compile command.
known=()
for file in "${files[@]}"; do
    grep -qF "\"$project_root/$file\"" "$commands" && known+=("$file")
done
if ((${#known[@]} == 0)); then
    echo "no source to check"
    exit 0
fi
printf '%s\0' "${known[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$build" --quiet ||
    fail "clang-tidy found the points above"
printf '%d files checked\n' "${#known[@]}"
