#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads the sources as text and names every breach of the house rules: check_layers.sh ROOT
#
# One line per breach: file:line: [rule] what. Exit 1 if there is any. Rules:
#   layer       kernels -> core -> adapters -> inference -> training -> app; a folder includes only folders to its left
#   data-side   what the workbench links uses no tensor and no kernel code, only kernels/base
#   foreign     no CUDA header outside kernels/cuda and its emulation; no Qt, JSON, TOML or SQL type in a public header below app.
#               Public is what another top-level folder includes, directly or through a header
#   spdx        each source starts with its licence: GPL-3.0-or-later in the GUI, Apache-2.0 elsewhere
#   header      #pragma once (but x_inl.h, included once per instruction set); no using-directive
#   own-header  x.cpp includes x.h before anything else, which proves that x.h is self-contained
#   size        at most 800 lines, or a comment "Long because ..." in the first 20
#   words       no notes to oneself, no paths of one machine, no std::regex
#   listed      each .cpp is named in a CMakeLists.txt of its folder or one above
set -euo pipefail

root=${1:?usage: check_layers.sh ROOT}
cd "$root"
folders=()
for folder in kernels core adapters inference training app tests packaging .ci resources docs; do
    [[ -d $folder ]] && folders+=("$folder")
done
# The check and its own test spell out what they forbid.
mapfile -t files < <(find "${folders[@]}" -path tests/layers -prune -o -type f \
    \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' -o -name '*.sh' -o -name '*.py' -o -name '*.cmake' \
    -o -name CMakeLists.txt -o -name '*.md' -o -name run \) -print | sort)

# shellcheck disable=SC2016  # $0 and the like are awk's
breaches=$(
    awk '
    function breach(rule, what) { print FILENAME ":" FNR ": [" rule "] " what }
    function startsWith(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
    function isData(path) {
        return (startsWith(path, "core/") && path !~ /^core\/(tensor|autograd|model)\//) ||
               path ~ /^core\/model\/(architectures\/|network_config\.h|mixture_config\.h)/ || startsWith(path, "training/data/") ||
               path ~ /^app\/(models|gui)\//
    }
    BEGIN {
        rank["kernels"] = 1; rank["core"] = 2; rank["adapters"] = 3
        rank["inference"] = 4; rank["training"] = 5; rank["app"] = 6
    }
    FNR == 1 {
        if (previous != "") endOfFile()
        previous = FILENAME
        folder = FILENAME; sub(/\/.*/, "", folder)
        isCode = FILENAME ~ /\.(h|cpp|cu|cuh)$/
        isHeader = FILENAME ~ /\.(h|cuh)$/
        isGui = FILENAME ~ /^(app\/(gui|models)|tests\/gui)\//
        isBelowApp = folder in rank && folder != "app"
        isProse = FILENAME ~ /\.md$/
        sawLicence = 0; sawOnce = 0; sawInclude = 0; sawReason = 0
        ownHeader = FILENAME; sub(/\.cpp$/, ".h", ownHeader)
        hasOwnHeader = FILENAME ~ /\.cpp$/ && (getline ignored < ownHeader) >= 0
        close(ownHeader)
    }
    { lines = FNR }
    FNR <= 3 && /SPDX-License-Identifier:/ {
        sawLicence = 1
        wanted = isGui ? "GPL-3.0-or-later" : "Apache-2.0"
        if (index($0, wanted) == 0) breach("spdx", "licence here is " wanted)
    }
    FNR <= 20 && /Long because / { sawReason = 1 }
    isHeader && /^#pragma once/ { sawOnce = 1 }
    isHeader && /^[ \t]*using namespace / { breach("header", "using-directive in a header") }
    isCode && /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
        path = $0; sub(/^[^<"]*[<"]/, "", path); sub(/[>"].*/, "", path)
        isQuoted = $0 ~ /include[ \t]*"/
        if (!sawInclude && hasOwnHeader && path != ownHeader)
            breach("own-header", "first include is " path ", not " ownHeader)
        sawInclude = 1
        target = path; sub(/\/.*/, "", target)
        if (isQuoted && path !~ /\// && path !~ /\.moc$/) breach("layer", "include " path " by its path from the project root")
        if (isQuoted && folder in rank && target == "tests") breach("layer", folder " includes " path)
        if (isQuoted && folder in rank && target in rank && rank[target] > rank[folder])
            breach("layer", folder " includes " path)
        if (isQuoted && isData(FILENAME)) {
            if ((target == "kernels" && path !~ /^kernels\/base\//) || path ~ /^core\/(tensor|autograd)\// ||
                (startsWith(path, "core/model/") && !isData(path)) ||
                path ~ /^(adapters|inference)\// || (startsWith(path, "training/") && !startsWith(path, "training/data/")) ||
                startsWith(path, "app/engine/"))
                breach("data-side", "what the workbench links includes " path)
        }
        if (isQuoted && startsWith(FILENAME, "app/models/") && startsWith(path, "app/gui/"))
            breach("layer", "a view model includes the widget code " path)
        if (FILENAME !~ /^(kernels\/cuda|tests\/emulated_cuda)\// && path ~ /^(cuda|cublas|cudnn|curand|cupti|nvml|nvrtc|cooperative_groups|mma)/)
            breach("foreign", "CUDA header " path " outside kernels/cuda")
        if (isBelowApp && path ~ /^Q[A-Zt]/) breach("foreign", "Qt header " path " below app")
        if (isBelowApp && isHeader && path ~ /^(nlohmann|simdjson|toml\+\+|SQLiteCpp)[\/.]/) foreignIn[FILENAME] = path
        if (isBelowApp && isHeader && isQuoted) { headerEdge[++edges] = FILENAME; headerEdgeTo[edges] = path }
        if (folder in rank && isQuoted && target != folder) { outside[++outsides] = FILENAME; outsideTo[outsides] = path }
    }
    !isProse && /(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)/ { breach("words", "a note to oneself: do it or drop it") }
    /(^|[^A-Za-z0-9_.~-])\/(work|home|root|tmp)\// { breach("words", "path of one machine") }
    isCode && /std::regex/ { breach("words", "std::regex overflows the stack on long lines; use PCRE2 or a loop") }
    function endOfFile() {
        savedName = FILENAME; FILENAME = previous
        if (!isProse && !sawLicence && previous !~ /CMakeLists\.txt$|packaging\/cmake\//) print previous ":1: [spdx] no SPDX-License-Identifier in the first lines"
        if (isHeader && !sawOnce && previous !~ /_inl\.h$/) print previous ":1: [header] no #pragma once"
        if (lines > 800 && !sawReason && !isProse) print previous ":" lines ": [size] over 800 lines: split it, or say \"Long because ...\" at its top"
        FILENAME = savedName
    }
    END {
        if (previous != "") endOfFile()
        do {
            changed = 0
            for (i = 1; i <= edges; ++i)
                if (headerEdgeTo[i] in foreignIn && !(headerEdge[i] in foreignIn)) {
                    foreignIn[headerEdge[i]] = foreignIn[headerEdgeTo[i]]
                    changed = 1
                }
        } while (changed)
        for (i = 1; i <= outsides; ++i)
            if (outsideTo[i] in foreignIn)
                print outside[i] ":1: [foreign] " outsideTo[i] " brings " foreignIn[outsideTo[i]] " out of its folder"
    }
    ' "${files[@]}"

    # A source that no list names is compiled by nobody.
    for file in "${files[@]}"; do
        [[ $file == *.cpp ]] || continue
        folder=$(dirname "$file")
        name=$(basename "$file" .cpp)
        found=0
        while [[ $folder != . ]]; do
            if [[ -f $folder/CMakeLists.txt ]] && grep -qE "(^|[ (/])$name(\\.cpp)?([ )]|\$)" "$folder/CMakeLists.txt"; then
                found=1
                break
            fi
            folder=$(dirname "$folder")
        done
        ((found)) || echo "$file:1: [listed] no CMakeLists.txt names it"
    done
)

if [[ -n $breaches ]]; then
    printf '%s\n' "$breaches"
    printf '%d breaches in %d files\n' "$(wc -l <<<"$breaches")" "${#files[@]}"
    exit 1
fi
printf '%d files follow the rules\n' "${#files[@]}"
