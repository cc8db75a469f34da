#!/bin/sh
# Runs a command, such as "go build -tags cuda ./...", where gorgonia.org/cu and package cuda find
# our cuda.h and a libcuda to link with. It needs a C compiler and nothing of NVIDIA's.
#
# That library, build/driver/libcuda.a, has a function for every function of cuda.h, which looks for
# the driver's libcuda.so.1 when it is first called (forward.awk). So one program serves machines
# with and without a driver.
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
header=$root/cuda/driver/include/cuda.h
forward=$root/cuda/driver/forward.awk
library=$root/build/driver/libcuda.a

if [ ! "$library" -nt "$header" ] || [ ! "$library" -nt "$forward" ]; then
	# At once, by mv: builds may run side by side.
	new=$root/build/driver/$$
	mkdir -p "$new"
	printf '#include <cuda.h>\n' | ${CC:-cc} -E -P -DCUDA_INIT_NOW "-I$root/cuda/driver/include" - | awk -f "$forward" >"$new/driver.c"
	${CC:-cc} -O2 -fPIC -fvisibility=hidden -DCUDA_INIT_NOW "-I$root/cuda/driver/include" -c "$new/driver.c" -o "$new/driver.o"
	${AR:-ar} rc "$new/libcuda.a" "$new/driver.o"
	mv "$new/libcuda.a" "$library"
	rm -r "$new"
fi

# Go's build cache does not see headers and libraries outside a package: the checksum makes it build
# again when they change.
export CGO_ENABLED=1
export CGO_CFLAGS="${CGO_CFLAGS:--O2 -g} -I$root/cuda/driver/include -DCUDA_H=$(cat "$header" "$forward" | cksum | cut -d' ' -f1)"
export CGO_LDFLAGS="${CGO_LDFLAGS:--O2 -g} -L$root/build/driver -ldl"
exec "$@"
