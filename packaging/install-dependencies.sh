#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the build, the tests and the workbench need on Debian 12: install-dependencies.sh [--dev]
#
# --dev adds the tools of packaging/format.sh and packaging/lint.sh. Does nothing where everything is there.
# WHETBENCH_SKIP_INSTALL=1 skips the check, for systems where the libraries come from elsewhere.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages=(
    # tools
    ca-certificates ccache cmake g++ git ninja-build pkg-config
    # engine
    libcli11-dev libdnnl-dev libfmt-dev libhwy-dev libicu-dev libpcre2-dev libsentencepiece-dev libsimdjson-dev
    libspdlog-dev libsqlite3-dev libsqlitecpp-dev libssl-dev libtomlplusplus-dev libzstd-dev nlohmann-json3-dev zlib1g-dev
    ocl-icd-opencl-dev # oneDNN's CMake files ask for it
    # tests
    libbenchmark-dev libboost-context-dev libdtl-dev libgmock-dev libgtest-dev xvfb
    # workbench
    fonts-dejavu-core libqt6opengl6-dev libqt6svg6 qt6-base-dev qt6-charts-dev qt6-qpa-plugins qt6-svg-dev
)

case "${1:-}" in
    "") ;;
    --dev) packages+=(clang-format clang-tidy sentencepiece shellcheck) ;;
    *) fail "unknown option '$1'; usage: install-dependencies.sh [--dev]" 2 ;;
esac

phase "Dependencies"
if [[ ${WHETBENCH_SKIP_INSTALL:-0} == 1 ]]; then
    finish "skipped, WHETBENCH_SKIP_INSTALL is set"
    exit 0
fi

missing=()
if command -v dpkg-query >/dev/null; then
    installed=$(dpkg-query --show --showformat='${Status} ${Package}\n' | sed -n 's/^install ok installed //p')
    for package in "${packages[@]}"; do
        grep -qxF "$package" <<<"$installed" || missing+=("$package")
    done
else
    missing=("${packages[@]}")
fi

if ((${#missing[@]} == 0)); then
    finish "all ${#packages[@]} packages are installed"
    exit 0
fi

system=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-unknown}" "${VERSION_ID:-}") || system="unknown"
if [[ $system != "debian 12" ]]; then
    cat >&2 <<TEXT
install-dependencies.sh: this is '$system'; the package names here are those of Debian 12.
Install the equivalents of these packages, then run again with WHETBENCH_SKIP_INSTALL=1:
    ${missing[*]}
TEXT
    exit 1
fi

as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "installing ${#missing[@]} packages needs root; run as root or install sudo. Missing: ${missing[*]}"
    as_root=(sudo)
fi

printf '    installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
"${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null
finish "${#missing[@]} packages installed"
