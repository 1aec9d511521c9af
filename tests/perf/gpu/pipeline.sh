#!/usr/bin/env bash
# On a GPU host: unetmatte in whole pipelines, 1080p NV12 in and RGBA out from and to host memory, beside
# the engine alone: by batch size, with and without copies, on one device and on several; how busy the
# devices are, and how much of their memory is used.
#
# Usage: pipeline.sh PACK MODEL OUT    PACK: what pack.sh made; MODEL: clmatte-fine.onnx
# Rows are printed as they come; what tests/perf/overlap draws, and statistics, go to the folder OUT.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pack=$1 model=$2 out=$3
# shellcheck source=/dev/null
. "$pack/env.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
# The elements know clmatte-fine by its name alone.
cp "$model" "$work/network.onnx"
printf '[modelinfo]\nversion=1.0\npreset=clmatte-fine\n' >"$work/network.onnx.modelinfo"

# nn-run's median of one run, as frames a second, at the size that unetmatte chooses for 1080p.
engine_rate() { # BATCH
  nn-run "$model" --shape image=1x3x416x736 --precision fp16 --batch "$1" --repeat 30 --json |
    python3 -c 'import json, sys; print(round(1e3 * int(sys.argv[1]) / json.load(sys.stdin)["median_ms"]))' "$1"
}

# One pipeline. The frames before those that count are enough for every pool to be full.
row() { # LABEL BATCH FRAMES OPTIONS ELEMENT...
  local label=$1 batch=$2 frames=$3 warm=$((64 + 8 * $2))
  shift 3
  GST_DEBUG=clbatchtimes:7 GST_DEBUG_FILE=$work/log GST_DEBUG_NO_COLOR=1 \
    rate --warm "$warm" --frames "$frames" "$@" model-file="$work/network.onnx" batch-size="$batch" \
    >"$work/told" 2>&1 || {
    echo "$label: failed: $(cat "$work/told")"
    return
  }
  "$here/../overlap" --skip $((warm / batch / ${devices:-1})) --log "$work/log" \
    >"$work/chart" 2>&1 || true
  printf '%-16s %5d   %s   busy %s\n' "$label" "$batch" "$(tail -n 1 "$work/told")" \
    "$(grep -o 'busy [0-9.]*' "$work/chart" | cut -d ' ' -f 2 | paste -sd ' ')"
  {
    echo "$label, batch $batch"
    cat "$work/chart"
  } >>"$out/charts.txt"
  head -n 1 "$work/told" >>"$out/stats.txt"
}

memory_used() {
  nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits | sort -n | tail -n 1
}

n_gpus=$(nvidia-smi --query-gpu=name --format=csv,noheader | wc -l)
idle_mib=$(memory_used)
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1
echo "$n_gpus GPUs, $(nproc) processors, $idle_mib MiB of device memory used before"

list=gpu:0
for devices in 1 2 4; do
  [ "$devices" -le "$n_gpus" ] || break
  while [ "$(tr ',' '\n' <<<"$list" | wc -l)" -lt "$devices" ]; do
    list=$list,gpu:$(tr ',' '\n' <<<"$list" | wc -l)
  done
  row "gpus-$devices" 8 $((2000 * devices)) --pinned unetmatte device="$list"
  row "gpus-$devices-matte" 8 $((2000 * devices)) --pinned --out-format GRAY8 unetmatte device="$list"
done
unset devices

rate --width 512 --height 512 --warm 64 --frames 20000 --pinned unetmatte device=gpu:0 \
  model-file="$work/network.onnx" batch-size=8 >"$work/told" 2>&1 &
worker=$! most_mib=0
while kill -0 "$worker" 2>/dev/null; do
  used=$(memory_used)
  [ "$used" -le "$most_mib" ] || most_mib=$used
  sleep 0.2
done
echo "512x512, batch 8: $((most_mib - idle_mib)) MiB of device memory, the driver's context included;" \
  "$(tail -n 1 "$work/told")"

for batch in 1 2 4 8 16 32; do
  printf 'engine alone     %5d   %s frames/s\n' "$batch" "$(engine_rate "$batch")"
  row pinned "$batch" $((400 + 100 * batch)) --pinned unetmatte device=gpu:0
done
row copied 8 1500 unetmatte device=gpu:0
