# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of this folder: where the project is, and progress lines with timings. Sourced, not run.

# shellcheck disable=SC2034  # read by the scripts that source this
project_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
phase_name=""
phase_start=0

# phase NAME: announces a phase; finish prints how long it took.
phase() {
    phase_name=$1
    phase_start=$SECONDS
    printf '==> %s\n' "$phase_name"
}

finish() {
    local seconds=$((SECONDS - phase_start))
    printf '    %s: %s (%d min %02d s)\n' "$phase_name" "${1:-done}" $((seconds / 60)) $((seconds % 60))
    phase_name=""
}

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit "${2:-1}"
}

# Says which phase stopped the script, so that the last lines of a log explain it.
on_exit() {
    local status=$?
    if ((status != 0)) && [[ -n $phase_name ]]; then
        printf '%s: "%s" failed after %d s (exit %d)\n' "$(basename "$0")" "$phase_name" $((SECONDS - phase_start)) "$status" >&2
    fi
}
trap on_exit EXIT

# One compiler per core, but not more than the memory holds: the largest file needs about 1.5 GB.
# WHETBENCH_JOBS overrides.
parallel_jobs() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/^MemAvailable:/ { print int($2 / 1572864) }' /proc/meminfo)
    ((memory < cores)) && cores=$memory
    ((cores < 1)) && cores=1
    printf '%s' "${WHETBENCH_JOBS:-$cores}"
}
