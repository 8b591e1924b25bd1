#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proves the CUDA plugin of this bundle on this machine's GPU and measures it: run-gpu-checks.sh [RESULTS_FOLDER]
#
# Needs an NVIDIA driver and CUDA 13's libraries. compute-sanitizer and a python3 with torch, transformers and peft are
# used where they are. A step that fails does not stop the next; the last line says what failed.
#   WHETBENCH_QUICK=1     20 instead of 1000 repeats
#   WHETBENCH_DEVICE=cpu  tiny sizes on the processor: shows that this script works
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
results=${1:-$PWD/gpu-checks}
mkdir -p "$results"
export WHETBENCH_LIBRARY="$results/library"
device=${WHETBENCH_DEVICE:-cuda}
tiny=()
[[ $device == cuda ]] || tiny=(--sizes tiny)
quick=()
[[ ${WHETBENCH_QUICK:-0} == 1 ]] && quick=(--quick)
failed=()

# step NAME SECONDS COMMAND...: runs it, keeps its output in NAME.log.
step() {
    local name=$1 seconds=$2 start=$SECONDS
    shift 2
    printf '==> %s\n' "$name"
    if timeout "$seconds" "$@" >"$results/$name.out" 2>"$results/$name.log"; then
        printf '    passed (%d s)\n' $((SECONDS - start))
        return 0
    fi
    printf '    FAILED (%d s); the end of %s:\n' $((SECONDS - start)) "$results/$name.log"
    tail -n 5 "$results/$name.out" "$results/$name.log" | sed 's/^/    /'
    failed+=("$name")
    return 1
}

step doctor 30 "$here/bin/whet" doctor --json
grep -A40 '"gpu"' "$results/doctor.out" | sed -n 1,24p

while read -r executable; do
    step "$executable" 240 "$here/bin/$executable" --gtest_brief=1 --gtest_output="xml:$results/$executable.xml"
    grep -E 'SKIPPED|PASSED|FAILED' "$results/$executable.out" | sed -n '1,12s/^/    /p'
done <"$here/share/whetbench/gpu-checks.txt"

if [[ $device == cuda ]] && command -v compute-sanitizer >/dev/null; then
    # The checks at tiny sizes are small enough for tools that slow kernels down a hundredfold.
    for tool in memcheck racecheck synccheck; do
        step "sanitizer-$tool" 120 compute-sanitizer --tool "$tool" --error-exitcode 9 \
            "$here/bin/whet" bench cuda --sizes tiny --no-timings
    done
else
    printf '==> compute-sanitizer: left out, not here\n'
fi

step bench 540 "$here/bin/whet" bench cuda --json --device "$device" "${tiny[@]}" "${quick[@]}"

peers="$here/share/whetbench/torch_peers.py"
if python3 -c 'import torch' 2>/dev/null && [[ -s $results/bench.out ]]; then
    options=(--device "$device")
    [[ $device == cuda ]] || options+=(--tiny)
    step peers 900 python3 "$peers" --results "$results/bench.out" --csv "$results/cuda_peers.csv" "${options[@]}"
    cat "$results/peers.out"
else
    printf '==> PyTorch peers: left out, python3 has no torch or there are no timings\n'
fi

if ((${#failed[@]} > 0)); then
    printf 'failed: %s; everything is in %s\n' "${failed[*]}" "$results"
    exit 1
fi
printf 'all passed; everything is in %s\n' "$results"
