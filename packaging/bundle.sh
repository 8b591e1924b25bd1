#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Packs the engine and every library it needs into one archive that runs where nothing is installed.
# bundle.sh [--build DIR] [--out DIR] [--with-checks]
#
#   --build DIR     a folder that is already built; default: build/release, which is built first
#   --out DIR       where whetbench-VERSION-linux-x86_64.tar.xz goes; default: the build folder
#   --with-checks   adds the executables that check the CUDA plugin on a machine with a GPU
#
# Left out on purpose: the C library (the machine's own must be as new as the README in the archive says) and the
# libraries of CUDA and of its driver, which must match the machine.
set -euo pipefail
shopt -s nullglob
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"

readonly most_bytes=$((40 << 20))
# Of the C library, then of CUDA: both belong to the machine.
readonly system_libraries='^(linux-vdso|ld-linux-x86-64|lib(c|m|pthread|dl|rt|resolv|util))\.so'
readonly cuda_libraries='^lib(cuda|cudart|cublas|cublasLt|nvrtc|nvidia-ml|cupti)\.so'

build=""
out=""
has_checks=0
while (($# > 0)); do
    case $1 in
        --build) build=${2:?--build needs a folder}; shift 2 ;;
        --out) out=${2:?--out needs a folder}; shift 2 ;;
        --with-checks) has_checks=1; shift ;;
        *) fail "unknown option '$1'; usage: bundle.sh [--build DIR] [--out DIR] [--with-checks]" 2 ;;
    esac
done
if [[ -z $build ]]; then
    build=build/release
    packaging/build.sh release
fi
[[ -x $build/bin/whet ]] || fail "$build/bin/whet is missing; build it first, or leave --build out"
build=$(realpath "$build")
out=$(realpath "${out:-$build}")

version=$("$build/bin/whet" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
name="whetbench-$version-linux-x86_64"
stage=$(mktemp -d)
trap 'on_exit; rm -rf "$stage"' EXIT
root="$stage/$name"

needed_by() { readelf --dynamic "$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

# Where the loader of this machine finds each library that a file needs, directly or through others: "name path" lines.
resolved_libraries() { ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }'; }

copy_libraries() {
    local file soname path
    for file in "$@"; do
        while read -r soname path; do
            [[ $soname =~ $system_libraries || $soname =~ $cuda_libraries || -e $root/lib/$soname ]] && continue
            cp --dereference "$path" "$root/lib/$soname"
            strip --strip-unneeded "$root/lib/$soname"
            keep_notice "$soname" "$path"
        done < <(resolved_libraries "$file")
    done
}

# The terms under which a library may be handed on: those of the Debian package it came from.
keep_notice() {
    local soname=$1 file package
    file=$(realpath "$2")
    # Packages name files of /usr/lib with or without the /usr.
    package=$({ dpkg-query --search "$file" "${file#/usr}" 2>/dev/null || true; } | head -n 1 | cut -d: -f1)
    [[ -n $package ]] || fail "$soname ($2) belongs to no Debian package; its licence is unknown"
    printf '%-28s %s\n' "$soname" "$(dpkg-query --show --showformat='${Package} ${Version}' "$package")" >>"$notices/LIBRARIES"
    [[ -e $notices/$package.txt ]] || cp "/usr/share/doc/$package/copyright" "$notices/$package.txt"
}

# What may still be missing: only libraries of the C library and of CUDA.
check_closure() {
    local file soname
    for file in "$root"/bin/* "$root"/lib/*; do
        for soname in $(needed_by "$file"); do
            [[ -e $root/lib/$soname || $soname =~ $system_libraries || $soname =~ $cuda_libraries ]] ||
                fail "$(basename "$file") needs $soname, which is not in the bundle"
        done
    done
}

newest_glibc() {
    local file
    for file in "$root"/bin/* "$root"/lib/*; do readelf --version-info "$file" 2>/dev/null; done |
        grep -oE 'GLIBC_2\.[0-9]+' | sort --version-sort --unique | tail -n 1 | tr -d 'A-Z_'
}

phase "Bundle $name"
cmake --install "$build" --prefix "$root" --component engine --strip >"$build/bundle-install.log" ||
    fail "the installation failed; see $build/bundle-install.log"
notices="$root/share/doc/whetbench/third-party"
mkdir -p "$root/lib" "$notices"
if ((has_checks)); then
    [[ -s $build/gpu-checks.txt ]] || fail "$build was configured without the checks of the CUDA plugin (no nvcc?)"
    while read -r executable; do
        [[ -x $build/bin/$executable ]] || fail "$build/bin/$executable is missing; build it first"
        strip -o "$root/bin/$executable" "$build/bin/$executable"
    done <"$build/gpu-checks.txt"
    cp "$build/gpu-checks.txt" "$root/share/whetbench/gpu-checks.txt"
    cp tests/peers/torch_*.py tests/peers/peer_table.py "$root/share/whetbench/"
    install -m 755 packaging/bundle/run-gpu-checks.sh "$root/run-gpu-checks.sh"
fi
copy_libraries "$root"/bin/* "$root"/lib/*.so*
sort -o "$notices/LIBRARIES" "$notices/LIBRARIES"
check_closure
plugin="no, this bundle computes on the CPU only"
[[ -e $root/lib/libwhetbench_cuda.so ]] && plugin="yes"
sed -e "s/@VERSION@/$version/g" -e "s/@GLIBC@/$(newest_glibc)/g" -e "s/@PLUGIN@/$plugin/g" \
    packaging/bundle/README.md.in >"$root/README.md"

archive="$out/$name.tar.xz"
# The same input gives the same archive: names sorted, times those of the last commit.
stamp=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --create --directory "$stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$stamp" "$name" |
    xz -6 --threads=2 >"$archive.part"
mv "$archive.part" "$archive"
bytes=$(stat --format=%s "$archive")
((bytes <= most_bytes)) || fail "$archive has $bytes bytes, more than the $most_bytes a bundle may have"
finish "$archive, $(awk -v b="$bytes" 'BEGIN { printf "%.1f MiB", b / 1048576 }') of 40 MiB, $(find "$root/lib" -name 'lib*' | wc -l) libraries"
