#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Packs the bundle, unpacks it elsewhere and runs it with an empty environment: bundle_test.sh SOURCE_DIR BUILD_DIR
set -euo pipefail

source_dir=${1:?usage: bundle_test.sh SOURCE_DIR BUILD_DIR}
build=${2:?usage: bundle_test.sh SOURCE_DIR BUILD_DIR}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

failed() {
    printf 'bundle_test: %s\n' "$1" >&2
    exit 1
}
expect() {
    grep -qE "$2" <<<"$1" || failed "expected '$2' in: $1"
}

options=()
[[ ! -s $build/gpu-checks.txt ]] || options+=(--with-checks)
"$source_dir/packaging/bundle.sh" --build "$build" --out "$scratch" "${options[@]}"
archives=("$scratch"/whetbench-*-linux-x86_64.tar.xz)
mkdir "$scratch/elsewhere"
tar -xf "${archives[0]}" -C "$scratch/elsewhere"
bundles=("$scratch"/elsewhere/whetbench-*)
bundle=${bundles[0]}
cd "$scratch/elsewhere"

# The loader's own word: what does not come from the bundle is the C library.
for program in "$bundle"/bin/*; do
    foreign=$(env -i LD_TRACE_LOADED_OBJECTS=1 "$program" | awk '{ print ($2 == "=>") ? $1 " " $3 : $1 }' |
        grep -vE " $bundle/" | grep -vE '^(/lib64/ld-linux-x86-64\.so\.2|linux-vdso\.so\.1|lib(c|m|dl|rt|pthread)\.so\.[0-9] )' || true)
    [[ -z $foreign ]] || failed "$(basename "$program") loads from outside the bundle: $foreign"
done
# The plugin needs no program to load it; CUDA's libraries alone may be missing.
if [[ -e $bundle/lib/libwhetbench_cuda.so ]]; then
    foreign=$(env -i LD_LIBRARY_PATH="$bundle/lib" LD_TRACE_LOADED_OBJECTS=1 /lib64/ld-linux-x86-64.so.2 "$bundle/lib/libwhetbench_cuda.so" |
        awk '{ print ($2 == "=>") ? $1 " " $3 : $1 }' |
        grep -vE " $bundle/|^/lib64/ld-linux|^linux-vdso|^lib(c|m|dl|rt|pthread)\.so\.[0-9] |^lib(cublas|cublasLt|cudart|cuda)\.so" || true)
    [[ -z $foreign ]] || failed "the plugin loads from outside the bundle: $foreign"
fi

whet() {
    env -i HOME="$scratch" "$bundle/bin/whet" --library "$scratch/library" "$@"
}
expect "$(whet doctor)" '^GPU'
expect "$(whet models list --json)" "\"path\": \"$bundle/share/whetbench/resources/models/pocket\""
expect "$(whet generate --model pocket --prompt 'name: Alma' --max-new-tokens 4 --json)" '"finish_reason": "length"'
sample="$bundle/share/whetbench/resources/samples/facts_to_sentence"
whet train --recipe "$sample.toml" --data "$sample.jsonl" --max-steps 2 --json >"$scratch/train.json" || failed "training failed"
whet export --run last --format safetensors --out "$scratch/exported" --json >"$scratch/export.json" || failed "the export failed"
expect "$(whet generate --model "$scratch/exported" --prompt 'name: Alma' --max-new-tokens 4 --json)" '"finish_reason"'
[[ -s $bundle/share/doc/whetbench/third-party/LIBRARIES ]] || failed "the notices of the libraries are missing"
echo "bundle_test: all passed"
