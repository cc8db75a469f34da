#!/bin/sh
# Runs a command, such as "go build -tags cuda ./...", where gorgonia.org/cu and package cuda find our cuda.h and a
# libcuda.so to link with. It needs a C compiler and nothing of NVIDIA's.
#
# The stub library, build/stub/libcuda.so, has the driver's soname and an empty function for every function of cuda.h.
# The linker is content with it; the program then loads the driver's libcuda.so.1 and never the stub.
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
header=$root/cuda/include/cuda.h
stub=$root/build/stub/libcuda.so

if [ ! "$stub" -nt "$header" ]; then
	mkdir -p "$root/build/stub"
	printf '#include <cuda.h>\n' | ${CC:-cc} -E -P -DCUDA_INIT_NOW "-I$root/cuda/include" - |
		sed -n 's/^CUresult \(cu[A-Za-z0-9_]*\)(.*/int \1(void) { return 34; }/p' |
		${CC:-cc} -shared -fPIC -nostdlib -Wl,-soname,libcuda.so.1 -x c -o "$stub.$$" -
	mv "$stub.$$" "$stub" # at once: builds may run side by side
fi

# Go's build cache does not see headers outside a package: the checksum makes it build again when cuda.h changes.
export CGO_ENABLED=1
export CGO_CFLAGS="${CGO_CFLAGS:--O2 -g} -I$root/cuda/include -DCUDA_H=$(cksum <"$header" | cut -d' ' -f1)"
export CGO_LDFLAGS="${CGO_LDFLAGS:--O2 -g} -L$root/build/stub"
exec "$@"
