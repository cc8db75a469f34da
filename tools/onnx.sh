#!/bin/sh
# Compares exported ONNX models with the networks, in onnxruntime, which it installs into build/onnx (about 150 MB). It needs python3
# with pip, and a network the first time.
set -eu
cd "$(dirname "$0")/.."
packages=build/onnx
pins="onnx==1.23.2 onnxruntime==1.32.0"
if [ "$(cat "$packages/pins" 2>/dev/null)" != "$pins" ]; then
	rm -rf "$packages"
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --target "$packages" $pins
	echo "$pins" >"$packages/pins"
fi
export PYTHONPATH="$PWD/$packages" PYTHONDONTWRITEBYTECODE=1 ONNX_PYTHON=python3
exec "${GO:-go}" test -count=1 -run ONNX ./interop ./cmd/tributary
