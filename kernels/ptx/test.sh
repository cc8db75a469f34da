#!/usr/bin/env bash
# What make ptx does, after make cubins: the kernel tests and the mutations, then the backend's
# tests on both codes side by side: of compute_80's PTX, which ships, and of sm_90a's, which make
# cubins leaves. With PTX_LONG=1 all of both, in a random order as well.
set -euo pipefail
cd "$(dirname "$0")/../.."

go test -tags ptx -count=1 -timeout 40m ./kernels -run '^TestPTX'

# backend DEVICE SETTINGS... -- ARGUMENTS: the backend's tests; what they print comes when they have
# ended.
backend() {
	local device=$1 log
	shift
	log=$(mktemp)
	local settings=()
	while [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	shift
	local failed=0
	env VARIANT=ptx "PTX_DEVICE=$device" "${settings[@]}" cuda/test.sh -short -timeout 60m "$@" >"$log" 2>&1 || failed=1
	echo "compute capability $device ${settings[*]} $*"
	cat "$log"
	rm "$log"
	return $failed
}
# both runs two of these side by side: two functions' names.
both() {
	local failed=0
	"$1" &
	local other=$!
	"$2" || failed=1
	wait "$other" || failed=1
	return $failed
}

if [ -z "${PTX_LONG:-}" ]; then
	shipped() { backend 10.0 -- -run '^TestCompliance$/^(fp32|tf32|bf16)$'; }
	kept() { backend 9.0 -- -run '^TestTrainingTrace$/^inception_small$/^(fp32|bf16)$|^TestCompliance$/^bf16$'; }
	both shipped kept
	exit
fi
shipped() { backend 10.0 --; }
kept() { backend 9.0 --; }
both shipped kept
shipped() { backend 10.0 EMULATOR_SEED=1 EMULATOR_TRUNCATE=1 EMULATOR_LAZY=1 PTX_APPROXIMATE=1 -- -run '^(TestCompliance|TestTrainingTrace|TestStreams)$'; }
kept() { backend 9.0 EMULATOR_SEED=2 EMULATOR_TRUNCATE=1 PTX_WEAK=1 PTX_STALE=1 -- -run '^(TestCompliance|TestTrainingTrace|TestStreams)$'; }
both shipped kept
