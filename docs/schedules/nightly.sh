#!/bin/sh
# One night: all notebooks of a scale (mini, or the first word) in a folder of their own, then what changed since the
# last good night. A night with a result that fell stays in nights/SCALE/tonight, and the good one before it in last.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH
scale=${1:-mini}
nights=nights/$scale

rm -rf "$nights/tonight"
aligngemini run --scale "$scale" --outputs "$nights/tonight"
if [ -d "$nights/last" ]; then
  aligngemini compare "$nights/last" "$nights/tonight"
  rm -rf "$nights/last"
fi
mv "$nights/tonight" "$nights/last"
