#!/bin/sh
# Tests everything with the build tag cuda against the emulator's libcuda.so.1: needs gcc, make and a C++17 compiler.
#
#	cuda/test.sh [arguments of go test]
#	VARIANT=asan cuda/test.sh     AddressSanitizer watches the kernels and all device memory (clang only)
#
# On a machine with a GPU, "cuda/cgo.sh go test -count=1 -tags cuda ./cuda/..." runs the same tests on it, but for those of faults.
# The emulator reads its settings from the environment, which the go command does not see: hence -count=1.
set -e
cd "$(dirname "$0")/.."
variant=${VARIANT:-plain}
make -s -C kernels/emulator "VARIANT=$variant" lib
LD_LIBRARY_PATH=$PWD/build/emulated
if [ "$variant" = asan ]; then
	LD_LIBRARY_PATH=$LD_LIBRARY_PATH/asan
	# The sanitizer's runtime has to be there before everything else. Go's own memory is none of its business.
	runtime=$(clang++-19 -print-file-name=libclang_rt.asan.so)
	[ -e "$runtime" ] || runtime=$(clang++-19 -print-file-name=libclang_rt.asan-x86_64.so)
	export ASAN_OPTIONS=detect_leaks=0
	exec cuda/cgo.sh go test -count=1 -tags cuda -exec "env LD_PRELOAD=$runtime LD_LIBRARY_PATH=$LD_LIBRARY_PATH" "$@" ./cuda/...
fi
export LD_LIBRARY_PATH
exec cuda/cgo.sh go test -count=1 -tags cuda "$@" ./cuda/...
