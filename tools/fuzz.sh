#!/usr/bin/env bash
# Runs every fuzz test of the module for a time (default 20s each), one after another.
set -euo pipefail
cd "$(dirname "$0")/.."
for file in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do
	for f in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "$f in $(dirname "$file")"
		go test -run '^$' -fuzz "^$f\$" -fuzztime "${1:-20s}" "./$(dirname "$file")"
	done
done
