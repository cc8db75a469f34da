#!/bin/sh
# Compares exported ONNX models with the networks, in onnxruntime, which it installs into build/onnx
# (about 150 MB).
set -eu
cd "$(dirname "$0")/.."
tools/wheels/install.sh onnx
export PYTHONPATH="$PWD/build/onnx" PYTHONDONTWRITEBYTECODE=1 ONNX_PYTHON=python3
exec "${GO:-go}" test -count=1 -run ONNX ./interop ./cmd/tributary
