#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads the symbols and needed libraries of an executable: check_linkage.sh FILE workbench|engine
#
#   workbench   no symbol of the kernels, tensors, tape or models, no oneDNN, no OpenMP
#   engine      no Qt
set -euo pipefail

file=${1:?usage: check_linkage.sh FILE workbench|engine}
kind=${2:?usage: check_linkage.sh FILE workbench|engine}

needed=$(readelf --dynamic "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[[ -n $needed ]] || { echo "$file: no needed libraries found; is it a linked executable?"; exit 1; }
symbols=""
case $kind in
    workbench)
        # wb::kernels holds ops and runtime; of core only these types are made of tensors.
        all=$(nm --demangle --defined-only "$file" 2>/dev/null) || true
        [[ -n $all ]] || { echo "$file: no symbols; the check needs an unstripped executable"; exit 1; }
        symbols=$(grep -E 'wb::kernels::|wb::core::(Tensor|Tape|TransformerBlock|LanguageModel|KvCache)\b|wb::(adapters|inference)::' <<<"$all" || true)
        libraries=$(grep -E '^lib(dnnl|gomp|cuda)' <<<"$needed" || true)
        ;;
    engine) libraries=$(grep -E '^libQt' <<<"$needed" || true) ;;
    *) echo "unknown kind '$kind'"; exit 2 ;;
esac

if [[ -n $symbols || -n $libraries ]]; then
    echo "$file must not hold:"
    [[ -z $libraries ]] || printf '    library %s\n' "$libraries"
    [[ -z $symbols ]] || { head -n 20 <<<"$symbols"; printf '    %d symbols\n' "$(wc -l <<<"$symbols")"; }
    exit 1
fi
echo "$file: holds nothing that a $kind must not"
