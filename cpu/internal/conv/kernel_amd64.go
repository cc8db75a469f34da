package conv

import "golang.org/x/sys/cpu"

// machine has the kernels that this machine can run, best first.
var machine = func() (ks []*kernels) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return []*kernels{goKernels}
	}
	wino8 := &winoKernels{8, winoInputAVX2, winoGradAVX2, winoFilterAVX2, winoFilterGradAVX2, winoOutputAVX2}
	if cpu.X86.HasAVX512F {
		wino16 := &winoKernels{16, winoInputAVX512, winoGradAVX512, winoFilterAVX512, winoFilterGradAVX512, winoOutputAVX512}
		ks = append(ks, &kernels{
			isa:        AVX512,
			width:      [2]int{32, 16},
			rows:       12,
			tile:       [2]tileKernel{tile12x32AVX512, tile12x16AVX512},
			lowRows:    8,
			low:        [2]tileKernel{tile8x32AVX512, tile8x16AVX512},
			heights:    []int{12, 8, 4},
			outer:      [][2]outerKernel{{outer12x32AVX512, outer12x16AVX512}, {outer8x32AVX512, outer8x16AVX512}, {outer4x32AVX512, outer4x16AVX512}},
			spread:     [][2]spreadKernel{{spread12x32AVX512, spread12x16AVX512}, {spread8x32AVX512, spread8x16AVX512}, {spread4x32AVX512, spread4x16AVX512}},
			colSum:     colSumAVX512,
			lanes:      16,
			addTo:      addToAVX512,
			wino:       []*winoKernels{wino16, wino8},
			transpose8: transpose8,
		})
	}
	ks = append(ks, &kernels{
		isa:        AVX2,
		width:      [2]int{16, 8},
		rows:       6,
		tile:       [2]tileKernel{tile6x16AVX2, tile6x8AVX2},
		lowRows:    4,
		low:        [2]tileKernel{tile4x16AVX2, tile4x8AVX2},
		heights:    []int{6, 4, 2},
		outer:      [][2]outerKernel{{outer6x16AVX2, outer6x8AVX2}, {outer4x16AVX2, outer4x8AVX2}, {outer2x16AVX2, outer2x8AVX2}},
		spread:     [][2]spreadKernel{{spread6x16AVX2, spread6x8AVX2}, {spread4x16AVX2, spread4x8AVX2}, {spread2x16AVX2, spread2x8AVX2}},
		colSum:     colSumAVX2,
		lanes:      8,
		addTo:      addToAVX2,
		wino:       []*winoKernels{wino8},
		transpose8: transpose8,
	})
	return append(ks, goKernels)
}()
