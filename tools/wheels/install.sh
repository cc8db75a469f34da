#!/bin/sh
# Installs the Python packages of tools/wheels/NAME.txt into build/NAME, for PYTHONPATH, unless they
# exist: install.sh NAME. Each package is pinned by version and hash, and so are its dependencies.
# The script needs python3 with pip, and a network the first time.
set -eu
cd "$(dirname "$0")/../.."
folder=build/$1
list=tools/wheels/$1.txt
pins="$(python3 -V): $(cat "$list")"
if [ "$(cat "$folder/pins" 2>/dev/null)" != "$pins" ]; then
	rm -rf "$folder"
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps --require-hashes \
		--target "$folder" --requirement "$list"
	echo "$pins" >"$folder/pins"
fi
