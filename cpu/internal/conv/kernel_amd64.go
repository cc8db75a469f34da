package conv

import "golang.org/x/sys/cpu"

// machine is the kernels that this machine can run, best first.
var machine = func() (ks []*kernels) {
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		ks = append(ks, &kernels{
			isa:     AVX512,
			rows:    12,
			width:   [2]int{32, 16},
			tile:    [2]tileKernel{tile12x32AVX512, tile12x16AVX512},
			heights: []int{12, 8, 4},
			outer: [][2]outerKernel{
				{outer12x32AVX512, outer12x16AVX512}, {outer8x32AVX512, outer8x16AVX512}, {outer4x32AVX512, outer4x16AVX512}},
			colSum:     colSumAVX512,
			lanes:      16,
			transpose8: transpose8,
		})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		ks = append(ks, &kernels{
			isa:     AVX2,
			rows:    6,
			width:   [2]int{16, 8},
			tile:    [2]tileKernel{tile6x16AVX2, tile6x8AVX2},
			heights: []int{6, 4, 2},
			outer: [][2]outerKernel{
				{outer6x16AVX2, outer6x8AVX2}, {outer4x16AVX2, outer4x8AVX2}, {outer2x16AVX2, outer2x8AVX2}},
			colSum:     colSumAVX2,
			lanes:      8,
			transpose8: transpose8,
		})
	}
	return append(ks, goKernels)
}()
