#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formats the C++ sources by .clang-format: format.sh [--check] [FILE...], default: every tracked source.
#
# --check changes nothing and ends with 1 if a file would change.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"
command -v clang-format >/dev/null || fail "clang-format is missing; run packaging/install-dependencies.sh --dev"

mode=(-i)
if [[ ${1:-} == --check ]]; then
    mode=(--dry-run --Werror)
    shift
fi
files=("$@")
if ((${#files[@]} == 0)); then
    mapfile -t files < <(git ls-files '*.h' '*.cpp' '*.cu' '*.cuh')
fi
((${#files[@]} > 0)) || exit 0
printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(nproc)" clang-format --style=file "${mode[@]}" ||
    fail "the files above are not formatted; run packaging/format.sh"
printf '%d files formatted\n' "${#files[@]}"
