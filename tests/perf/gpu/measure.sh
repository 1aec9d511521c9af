#!/usr/bin/env bash
# On a GPU host: the kernel tests, then every network timed and profiled, in one command. What it
# prints and every profile come back as one archive.
#
# Usage: measure.sh PACK NETWORKS OUT [OPTION...]    PACK: what pack.sh made; NETWORKS: see engine.py,
# which gets the OPTIONs. Ends with status 1 where a kernel test fails.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pack=$1 networks=$2 out=$3
shift 3
# shellcheck source=/dev/null
. "$pack/env.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Most of a test is the driver's compiler: several at once.
families=(Conv Pool Resize Normalization MatMul Gemm Add Mul Concat)
for family in "${families[@]}"; do
  test-kernels --filter "$family" >"$work/kernels-$family.txt" 2>&1 &
done
wait
failed=$(cat "$work"/kernels-*.txt | grep -c '^not ok' || true)
echo "kernel tests: $(cat "$work"/kernels-*.txt | grep -c '^ok') passed, $failed failed"

python3 "$here/engine.py" --precision fp16 --profiles "$work/profiles" "$@" \
  "$(command -v nn-run)" "$networks" | tee "$work/engine.txt"
mkdir -p "$out"
tar -C "$work" -czf "$out/measured.tgz" .
[ "$failed" -eq 0 ]
