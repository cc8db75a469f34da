#!/usr/bin/env bash
# Builds build/gpu/pack.tgz: the programs that bench/gpu.py runs on a machine with a GPU and no Go.
# That machine gets the pack, and the sources beside it. It needs Go, gcc and a C++17 compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
most=60000000 # maximum bytes of the pack and the sources

mkdir -p build/gpu build/pack
cuda/cgo.sh go build -tags cuda -ldflags '-s -w' -o build/pack/tributary ./cmd/tributary
for package in cuda cuda/driver bench; do
	cuda/cgo.sh go test -c -tags cuda -ldflags '-s -w' -o "build/pack/$(basename "$package").test" "./$package"
done
cuda/cgo.sh make -s -C kernels/emulator gpu-kernel-tests
dirty=false
[ -z "$(git status --porcelain)" ] || dirty=true
# The newest version of glibc whose symbols the programs need. bench/gpu.py checks whether a machine
# has it.
glibc=$(objdump -T build/pack/tributary build/pack/*.test build/pack/kernel_tests | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1 | cut -d_ -f2)
printf '{"commit": "%s", "dirty": %s, "glibc": "%s"}\n' "$(git rev-parse --short HEAD)" "$dirty" "$glibc" >build/pack/manifest.json
tar -C build/pack -czf build/gpu/pack.tgz tributary cuda.test driver.test bench.test kernel_tests manifest.json

pack=$(stat -c %s build/gpu/pack.tgz)
sources=$(git ls-files -z --cached --others --exclude-standard | xargs -0 cat | wc -c)
echo "build/gpu/pack.tgz: $((pack / 1000000)) MB, and $((sources / 1000000)) MB of sources"
if [ $((pack + sources)) -ge $most ]; then
	echo "bench/pack.sh: the pack and the sources are $((pack + sources)) bytes together, $most or more: make the programs smaller" >&2
	exit 1
fi
