#!/bin/sh
# Installs Python packages of certain versions into build/NAME, for PYTHONPATH, unless they are there: wheels.sh NAME ARGUMENT...
# The arguments are pip install's. It needs python3 with pip, and a network the first time.
set -eu
cd "$(dirname "$0")/.."
folder=build/$1
shift
pins="$(python3 -V): $*"
if [ "$(cat "$folder/pins" 2>/dev/null)" != "$pins" ]; then
	rm -rf "$folder"
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --target "$folder" "$@"
	echo "$pins" >"$folder/pins"
fi
