#!/bin/sh
# Compares exported ONNX models with the networks, in onnxruntime, which it installs into build/onnx (about 150 MB).
set -eu
cd "$(dirname "$0")/.."
tools/wheels.sh onnx onnx==1.23.2 onnxruntime==1.32.0
export PYTHONPATH="$PWD/build/onnx" PYTHONDONTWRITEBYTECODE=1 ONNX_PYTHON=python3
exec "${GO:-go}" test -count=1 -run ONNX ./interop ./cmd/tributary
