#!/bin/sh
# Installs nvcc, ptxas and their headers into build/cuda (about 250 MB), from wheels pinned by
# version and hash. Nothing else on the system changes. The script needs python3 with pip, and a
# network once.
set -eu
cd "$(dirname "$0")/../.."
cuda=build/cuda
pins=tools/cudatoolchain/requirements.txt
if cmp -s "$pins" "$cuda/requirements.txt"; then
	exit 0
fi
rm -rf "$cuda"
mkdir -p "$cuda"
python3 -m pip download --quiet --no-deps --require-hashes --only-binary :all: --dest "$cuda/wheels" --requirement "$pins" \
	--platform manylinux2014_x86_64 --platform manylinux2010_x86_64
for wheel in "$cuda"/wheels/*.whl; do
	python3 -m zipfile -e "$wheel" "$cuda"
done
rm -rf "$cuda/wheels"
chmod +x "$cuda"/nvidia/cu13/bin/* "$cuda"/nvidia/cu13/nvvm/bin/*
"$cuda/nvidia/cu13/bin/ptxas" --version >/dev/null
cp "$pins" "$cuda/requirements.txt"
