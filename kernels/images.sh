#!/bin/sh
# Compiles every kernel for GPUs and fails if one does not assemble, spills registers or needs a stack.
#
#   kernels/images.sh              sm_80 sm_90a, into build/images/ARCH/NAME.cubin
#   kernels/images.sh sm_86 ...    other architectures
#
# build/images/ARCH/resources.txt then has a line for each kernel: name, registers, bytes of static shared memory.
# tools/cudatoolchain/install.sh provides nvcc; NVCC=... takes another.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${NVCC:-}" ]; then
	tools/cudatoolchain/install.sh
	NVCC=build/cuda/nvidia/cu13/bin/nvcc
fi
failed=0
for arch in ${*:-sm_80 sm_90a}; do
	out=build/images/$arch
	rm -rf "$out"
	mkdir -p "$out"
	for source in kernels/*.cu; do
		name=$(basename "$source" .cu)
		if ! "$NVCC" -cubin -arch="$arch" -std=c++17 -O3 -Ikernels -Xptxas -v "$source" -o "$out/$name.cubin" 2>"$out/$name.log"; then
			cat "$out/$name.log"
			failed=1
			continue
		fi
		awk -v arch="$arch" -v out="$out/resources.txt" '
			/Compiling entry function/ { split($0, a, "\x27"); kernel = a[2] }
			/bytes stack frame/ && !/ 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads/ {
				print arch " " kernel ":" $0; bad = 1
			}
			/Used [0-9]+ registers/ {
				shared = 0
				for (i = 1; i < NF; i++) if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
				for (i = 1; i < NF; i++) if ($i == "Used") print kernel, $(i + 1), shared >>out
			}
			END { exit bad }' "$out/$name.log" || failed=1
		grep -E 'warning|error' "$out/$name.log" && failed=1
		rm -f "$out/$name.log"
	done
	[ ! -f "$out/resources.txt" ] || sort -o "$out/resources.txt" "$out/resources.txt"
done
exit $failed
