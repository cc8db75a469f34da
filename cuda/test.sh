#!/bin/sh
# Tests everything with the build tag cuda against the emulator's libcuda.so.1: needs gcc, make and
# a C++17 compiler.
#
#	cuda/test.sh [arguments of go test]
#	VARIANT=asan cuda/test.sh     AddressSanitizer watches the kernels and all device memory (clang only)
#	VARIANT=trace cuda/test.sh    what the kernels of a graph use that may run side by side is compared (clang only; minutes)
#	VARIANT=tsan cuda/test.sh     ThreadSanitizer watches the threads of the kernels (clang only; minutes)
#	VARIANT=ptx cuda/test.sh      what the compiler made of the kernels runs on the PTX machine (kernels/ptx), as on a GPU
#
# On a machine with a GPU, "cuda/cgo.sh go test -count=1 -tags cuda ./cuda/..." runs the same tests
# on it, but for those of faults. The emulator reads its settings from the environment, which the go
# command does not see: hence -count=1.
set -e
cd "$(dirname "$0")/.."
variant=${VARIANT:-plain}
if [ "$variant" = ptx ]; then
	make -s -C kernels/ptx lib
else
	make -s -C kernels/emulator "VARIANT=$variant" lib
fi
LD_LIBRARY_PATH=$PWD/build/emulated
case $variant in
plain) ;;
ptx) LD_LIBRARY_PATH=$PWD/build/ptx ;;
trace)
	LD_LIBRARY_PATH=$LD_LIBRARY_PATH/$variant
	export VARIANT EMULATOR_WORKERS=1
	;;
asan | tsan)
	LD_LIBRARY_PATH=$LD_LIBRARY_PATH/$variant
	# The sanitizer's runtime has to be there before everything else. Go's own memory is none of its
	# business.
	runtime=$(clang++-19 -print-file-name=libclang_rt.$variant.so)
	[ -e "$runtime" ] || runtime=$(clang++-19 -print-file-name=libclang_rt.$variant-x86_64.so)
	symbolizer=external_symbolizer_path=$(command -v addr2line)
	export ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=exitcode=66:$symbolizer
	exec cuda/cgo.sh go test -count=1 -tags cuda -exec "env LD_PRELOAD=$runtime LD_LIBRARY_PATH=$LD_LIBRARY_PATH" "$@" ./cuda/...
	;;
*)
	echo "cuda/test.sh: VARIANT=$variant: plain, asan, tsan, trace or ptx" >&2
	exit 2
	;;
esac
export LD_LIBRARY_PATH
exec cuda/cgo.sh go test -count=1 -tags cuda "$@" ./cuda/...
