#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sees every rule of check_layers.sh fail once: makes a small tree that follows them all, then breaks one rule at a time.
set -euo pipefail

check=$(realpath "${1:?usage: check_layers_test.sh CHECK_LAYERS}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

apache='// SPDX-License-Identifier: Apache-2.0'
gpl='// SPDX-License-Identifier: GPL-3.0-or-later'

fresh_tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree"/{kernels/base,kernels/cuda,core/text,core/tensor,training/data,training/trainer,app/models,app/engine,tests/core}
    cd "$work/tree"
    printf '%s\n#pragma once\n#include <cstdint>\n' "$apache" | tee kernels/base/error.h kernels/linear.h >core/tensor/tensor.h
    printf '%s\n#include "kernels/linear.h"\n\n#include "kernels/base/error.h"\n' "$apache" >kernels/linear.cpp
    printf '%s\n#include <cuda_runtime.h>\n' "$apache" >kernels/cuda/linear.cu
    printf '%s\n#pragma once\n#include <nlohmann/json.hpp>\n' "$apache" >core/text/json_reader.h
    printf '%s\n#pragma once\n#include "kernels/base/error.h"\n' "$apache" >core/text/tokenizer.h
    printf '%s\n#include "core/text/tokenizer.h"\n\n#include "core/text/json_reader.h"\n' "$apache" >core/text/tokenizer.cpp
    printf '%s\n#pragma once\n#include "core/text/tokenizer.h"\n' "$apache" >training/data/audit.h
    printf '%s\n#pragma once\n' "$apache" | tee training/trainer/trainer.h >app/engine/command.h
    printf '%s\n#pragma once\n#include <QObject>\n\n#include "training/data/audit.h"\n' "$gpl" >app/models/data_model.h
    printf '%s\n#include "core/tensor/tensor.h"\n// mkdtemp("test-XXXXXX")\n' "$apache" >tests/core/tensor_test.cpp
    echo 'whet_library(wb_kernels SOURCES linear.cpp)' >kernels/CMakeLists.txt
    echo 'whet_library(wb_core SOURCES text/tokenizer.cpp)' >core/CMakeLists.txt
    echo 'whet_test(core_tests SOURCES tensor_test.cpp)' >tests/core/CMakeLists.txt
}

# expect RULE WHAT: the tree as it is now must be refused for RULE and for nothing else; then a fresh tree.
expect() {
    local output
    if output=$("$check" "$work/tree"); then
        echo "not noticed: $2"
        failures=$((failures + 1))
    elif ! grep -qF "[$1]" <<<"$output" || grep -F '[' <<<"$output" | grep -qvF "[$1]"; then
        printf 'expected only [%s] for: %s, got:\n%s\n' "$1" "$2" "$output"
        failures=$((failures + 1))
    else
        echo "noticed: $2"
    fi
    fresh_tree
}

fresh_tree
"$check" "$work/tree" || { echo "the tree without a breach was refused"; exit 1; }

echo '#include "core/text/tokenizer.h"' >>kernels/linear.cpp
expect layer "a kernel that includes core"
echo '#include "app/engine/command.h"' >>training/trainer/trainer.h
expect layer "training that includes app"
sed -i 's|kernels/base/error.h|error.h|' kernels/linear.cpp
expect layer "an include that is not written from the project root"
echo '#include "kernels/linear.h"' >>core/text/tokenizer.h
expect data-side "the data side of core that includes a kernel"
echo '#include "core/tensor/tensor.h"' >>training/data/audit.h
expect data-side "the data side of training that includes a tensor"
echo '#include "training/trainer/trainer.h"' >>app/models/data_model.h
expect data-side "a view model that includes the trainer"
echo '#include <cublasLt.h>' >>kernels/linear.cpp
expect foreign "a CUDA header outside kernels/cuda"
echo '#include <QString>' >>core/tensor/tensor.h
expect foreign "Qt below app"
echo '#include "core/text/json_reader.h"' >>training/data/audit.h
expect foreign "a JSON header included from another folder"
echo '#include "core/text/json_reader.h"' >>core/text/tokenizer.h
expect foreign "a JSON header that leaves its folder through another header"
sed -i 1d core/tensor/tensor.h
expect spdx "a source without a licence"
sed -i '1s/GPL-3.0-or-later/Apache-2.0/' app/models/data_model.h
expect spdx "a view model under the wrong licence"
sed -i '/pragma once/d' core/tensor/tensor.h
expect header "a header without #pragma once"
echo 'using namespace std;' >>core/tensor/tensor.h
expect header "a using-directive in a header"
sed -i '2i #include <vector>' kernels/linear.cpp
expect own-header "a source whose own header is not first"
yes '// line' | head -n 801 >>core/tensor/tensor.h || true
expect size "a file of more than 800 lines"
echo '// TODO later' >>core/tensor/tensor.h
expect words "a note to oneself"
echo 'const char* path = "/home/me/data";' >>kernels/linear.cpp
expect words "a path of one machine"
echo 'std::regex pattern;' >>kernels/linear.cpp
expect words "std::regex"
printf '%s\n' "$apache" >kernels/forgotten.cpp
expect listed "a source no list names"

# A long file with its reason, and JSON inside one folder, are allowed.
sed -i '1a // Long because the table is one list.' core/tensor/tensor.h
yes '// line' | head -n 801 >>core/tensor/tensor.h || true
"$check" "$work/tree" >/dev/null || { echo "a long file with its reason was refused"; failures=$((failures + 1)); }

((failures == 0)) || { echo "$failures rules do not work"; exit 1; }
