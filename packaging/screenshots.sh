#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Renders every page of the workbench, light and dark, into docs/images, from a real finished run.
# screenshots.sh [LIBRARY [RUN]]: without arguments the run of demo.sh, or a new one of the bundled sample.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$project_root"

bin="${WHETBENCH_BIN:-build/release/bin}"
library="${1:-build/demo-library}"
run="${2:-last}"
[[ -x $bin/whetbench && -x $bin/whet ]] || packaging/build.sh release whet whetbench

if ! compgen -G "$library/runs/*/recipe.toml" >/dev/null; then
    phase "A run of the bundled sample"
    "$bin/whet" --library "$library" train --model resources/models/pocket \
        --data resources/samples/facts_to_sentence.jsonl
fi

settings=$(mktemp -d)
phase "Screenshots"
# Fixed scale and no settings of the user: the same run gives the same pictures.
env QT_QPA_PLATFORM=offscreen QT_SCALE_FACTOR=1 LC_ALL=C.UTF-8 XDG_CONFIG_HOME="$settings" XDG_RUNTIME_DIR="$settings" \
    WHETBENCH_ENGINE="$(realpath "$bin/whet")" \
    "$bin/whetbench" --library "$library" --screenshots docs/images --run "$run"
rm -rf "$settings"
finish "docs/images"
