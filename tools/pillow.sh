#!/bin/sh
# Compares the pixels of random images of all formats with Pillow's, which it installs into
# build/pillow (about 90 MB). Needs cjpeg of libjpeg-turbo. The argument is the number of images of
# each kind (300).
set -eu
cd "$(dirname "$0")/.."
tools/wheels/install.sh pillow
export PYTHONPATH="$PWD/build/pillow" PYTHONDONTWRITEBYTECODE=1 PILLOW=python3 PILLOW_N="${1:-300}"
exec "${GO:-go}" test -count=1 -run TestPillow -timeout 30m ./dataset
