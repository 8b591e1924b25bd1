#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the assembler says about the CUDA kernels: registers, stack, spills, as a table. Fails if a kernel of attention
# keeps registers in memory. check_cuda_spills.sh [--arch 90[,80...]] [--all] [--csv FILE] [FILE.cu...]
#
#   --arch   compute capabilities (default 90)
#   --all    every .cu of the plugin; spills of kernels that are not attention's are shown and allowed
#   --csv    append the table there, with date and compiler
# Without files: those of attention. Files that are named are all judged.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"

readonly judged='kernels/cuda/(.*attention.*|.*flash.*|bias_gradient)\.cu$'
architectures=90
has_all=0
csv=""
files=()
while (($# > 0)); do
    case $1 in
        --arch) architectures=${2:?--arch needs a list}; shift 2 ;;
        --all) has_all=1; shift ;;
        --csv) csv=${2:?--csv needs a file}; shift 2 ;;
        --*) fail "unknown option '$1'; usage: check_cuda_spills.sh [--arch LIST] [--all] [--csv FILE] [FILE.cu...]" 2 ;;
        *) files+=("$1"); shift ;;
    esac
done
nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
[[ -x $nvcc ]] || fail "nvcc is missing; install the CUDA toolkit"
are_named=${#files[@]}
if ((are_named == 0)); then
    files=(kernels/cuda/*.cu)
    ((has_all)) || mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -E "$judged")
fi
((${#files[@]} > 0)) || fail "there is nothing to check"

launcher=()
command -v ccache >/dev/null && launcher=(ccache)
scratch=$(mktemp -d)
trap 'on_exit; rm -rf "$scratch"' EXIT

# One line a kernel: file, architecture, registers, stack bytes, spill bytes, static shared bytes, name.
read_assembler() {
    awk -v file="$1" '
        /Compiling entry function/ { split($0, q, "\047"); name = q[2]; arch = q[4]; sub("sm_", "", arch) }
        /bytes stack frame/ && name != "" { stack = $1; spill = $5 + $9 }
        /Used [0-9]+ registers/ && name != "" {
            match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
            shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH) + 0 : 0
            print file, arch, registers, stack, spill, shared, name
            name = ""
        }' "$2"
}

codes=()
for architecture in ${architectures//,/ }; do
    codes+=(-gencode "arch=compute_$architecture,code=sm_$architecture")
done
for file in "${files[@]}"; do
    object="$scratch/$(basename "$file").o"
    "${launcher[@]}" "$nvcc" -std=c++20 -O3 -DNDEBUG -I. --expt-relaxed-constexpr --extended-lambda -Xcompiler=-fPIC \
        -Xptxas -v "${codes[@]}" -x cu -c "$file" -o "$object" 2>"$scratch/log" ||
        { cat "$scratch/log" >&2; fail "$file does not compile"; }
    read_assembler "$file" "$scratch/log" >>"$scratch/kernels"
done
[[ -s $scratch/kernels ]] || fail "the compiler told of no kernel"

# The last part of the name without its namespaces and arguments, but with what it is instantiated for.
paste -d' ' <(cut -d' ' -f1-6 "$scratch/kernels") \
    <(cut -d' ' -f7 "$scratch/kernels" | c++filt | sed -E 's/^void //; s/wb::(kernels::)?(cuda::)?//g; s/\(anonymous namespace\):://g; s/\(.*$//; s/\([a-z ]*\)//g; s/ //g') |
    sort -t' ' -k1,1 -k7,7 -k2,2n >"$scratch/table"

printf '%-26s %-5s %5s %6s %6s %7s  %s\n' file sm regs stack spill shared kernel
awk '{ n = split($1, p, "/"); printf "%-26s %-5s %5s %6s %6s %7s  %s\n", p[n], $2, $3, $4, $5, $6, $7 }' "$scratch/table"
if [[ -n $csv ]]; then
    [[ -s $csv ]] || echo "date,compiler,file,sm,registers,stack_bytes,spill_bytes,shared_bytes,kernel" >"$csv"
    awk -v date="$(date -u +%Y-%m-%d)" -v compiler="$("$nvcc" --version | sed -n 's/.*, V\(.*\)$/nvcc \1/p')" \
        '{ gsub(/"/, "", $7); printf "%s,%s,%s,%s,%s,%s,%s,%s,\"%s\"\n", date, compiler, $1, $2, $3, $4, $5, $6, $7 }' "$scratch/table" >>"$csv"
fi

if ((are_named > 0)); then
    spilling=$(awk '$5 > 0' "$scratch/table")
else
    spilling=$(awk -v judged="$judged" '$5 > 0 && $1 ~ judged' "$scratch/table")
fi
if [[ -n $spilling ]]; then
    printf '%s\n' "$spilling" | awk '{ printf "%s: %s spills %s bytes (sm_%s)\n", $1, $7, $5, $2 }' >&2
    fail "kernels of attention keep registers in memory; make their tiles smaller or their blocks larger"
fi
printf '%d kernels, none of attention spills\n' "$(wc -l <"$scratch/table")"
