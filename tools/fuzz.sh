#!/usr/bin/env bash
# Runs every fuzz test of the module for a number of inputs (default 100,000 each), one after
# another. Inputs are counted and not timed: when a -fuzztime in seconds is over, Go before 1.27 may
# call a sound test failed, "context deadline exceeded" (golang/go#75804).
set -euo pipefail
cd "$(dirname "$0")/.."
for file in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do
	for f in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "$f in $(dirname "$file")"
		go test -run '^$' -fuzz "^$f\$" -fuzztime "${1:-100000}x" -fuzzminimizetime 1000x "./$(dirname "$file")"
	done
done
