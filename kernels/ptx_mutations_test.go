//go:build ptx

package kernels_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutation changes a kernel's PTX so that it is wrong. The kernel tests on the machine must notice.
type mutation struct {
	what string
	edit func(body string) string
	want string // in what is printed: a message of the machine, or "" for any failure of a test
}

// target is a kernel in a compilation's file, and the test that runs it.
type target struct{ architecture, source, kernel, test string }

// replace changes all places, or, with n from 1 on, the n-th, with -1 the last.
func replace(pattern, by string, n int) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(body string) string {
		if n == 0 {
			return re.ReplaceAllString(body, by)
		}
		at := re.FindAllStringIndex(body, -1)
		if len(at) == 0 {
			return body
		}
		i := n - 1
		if n < 0 {
			i = len(at) + n
		}
		if i < 0 || i >= len(at) {
			return body
		}
		return body[:at[i][0]] + re.ReplaceAllString(body[at[i][0]:at[i][1]], by) + body[at[i][1]:]
	}
}

// descriptors changes the constants that descriptors of wgmma are made with: bit 62, a swizzle of
// 128 bytes, tells them.
func descriptors(change func(uint64) uint64) func(string) string {
	re := regexp.MustCompile(`\b46116\d{14}\b`)
	return func(body string) string {
		return re.ReplaceAllStringFunc(body, func(s string) string {
			v, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				return s
			}
			return strconv.FormatUint(change(v), 10)
		})
	}
}

// double doubles the 14 bits at a place.
func double(shift uint) func(uint64) uint64 {
	return func(v uint64) uint64 {
		field := v >> shift & 0x3fff
		return v&^(0x3fff<<shift) | field*2&0x3fff<<shift
	}
}

const vector4 = `\{(%\w+), ?(%\w+), ?(%\w+), ?(%\w+)\}`

var (
	ofTensorCores = []mutation{
		{"a1 and a2 of mma swapped", replace(`(mma\.sync\S+ \{[^}]*\}, )`+vector4, `$1{$2,$4,$3,$5}`, 0), ""},
		{"b0 and b1 of mma swapped", replace(`(mma\.sync\S+ \{[^}]*\}, \{[^}]*\}, )\{(%\w+), ?(%\w+)\}`, `$1{$3,$2}`, 0), ""},
		{"c1 and c2 of mma swapped on both sides", replace(`(mma\.sync\S+ )`+vector4+`(.*)`+vector4+`;`, `$1{$2,$4,$3,$5}$6{$7,$9,$8,$10};`, 0), ""},
	}
	ofMatrices = []mutation{
		{"ldmatrix without .trans", replace(`x4\.trans`, `x4`, 0), ""},
		{"ldmatrix with .trans", replace(`x4\.shared`, `x4.trans.shared`, 0), ""},
		{"half of the lanes at ldmatrix", replace(`(ldmatrix\S+ [^;]*;)`, `{ .reg .pred half; .reg .u32 t; mov.u32 t, %laneid; setp.lt.s32 half, t, 16; @half $1 }`, 1), "lanes missing"},
		{"registers of ldmatrix swapped", replace(`(ldmatrix\S+ )`+vector4, `$1{$2,$4,$3,$5}`, 0), ""},
	}
	ofCopies = []mutation{
		{"no wait for cp.async", replace(`cp\.async\.wait_group \d;`, ``, 0), "race in shared memory"},
		{"a wait for one group less", replace(`cp\.async\.wait_group 1;`, `cp.async.wait_group 2;`, 0), "race in shared memory"},
		{"cp.async not committed", replace(`cp\.async\.commit_group;`, ``, 0), "race in shared memory"},
		{"no barrier", replace(`bar\.sync\s+0;`, ``, 0), "race in shared memory|missing fence"},
		{"no first barrier", replace(`bar\.sync\s+0;`, ``, 1), "race in shared memory|missing fence"},
		{"no last barrier", replace(`bar\.sync\s+0;`, ``, -1), "race in shared memory|missing fence"},
		{"cp.async takes all bytes", replace(`(cp\.async\.c[ag]\.shared\.global \[%\w+\], \[%\w+\], \d+), %\w+;`, `$1;`, 0), ""},
	}
	ofWarpgroups = []mutation{
		{"no fence of the async proxy", replace(`fence\.proxy\.async\S+;`, ``, 0), "missing fence"},
		{"no wgmma.fence", replace(`wgmma\.fence\S+;`, ``, 0), "no wgmma.fence follows"},
		{"no first wgmma.fence", replace(`wgmma\.fence\S+;`, ``, 1), "no wgmma.fence follows"},
		{"wgmma waits for one group less", replace(`wgmma\.wait_group\.sync\.aligned 0;`, `wgmma.wait_group.sync.aligned 1;`, 0), "in flight|nothing has written"},
		{"no wait for wgmma", replace(`wgmma\.wait_group\.sync\.aligned 0;`, ``, 0), "in flight"},
		{"wgmma not committed", replace(`wgmma\.commit_group\.sync\.aligned;`, ``, 0), "nothing has written|in flight"},
		{"imm-trans-b flipped", func(b string) string {
			b = replace(`1, 1, 1, (\d), 0;`, `1, 1, 1, $1, X;`, 0)(b)
			return strings.ReplaceAll(replace(`1, 1, 1, (\d), 1;`, `1, 1, 1, $1, 0;`, 0)(b), "X;", "1;")
		}, ""},
		{"imm-trans-a flipped", func(b string) string {
			b = replace(`1, 1, 1, 0, (\d);`, `1, 1, 1, X, $1;`, 0)(b)
			return strings.ReplaceAll(replace(`1, 1, 1, 1, (\d);`, `1, 1, 1, 0, $1;`, 0)(b), "X,", "1,")
		}, ""},
		{"scale-d is 0", replace(`, 1, 1, 1, (\d), (\d);`, `, 0, 1, 1, $1, $2;`, 0), ""},
		{"a swizzle of 64 bytes in the descriptors", descriptors(func(v uint64) uint64 { return v ^ 3<<62 }), ""},
		{"the stride of the descriptors doubled", descriptors(double(32)), ""},
		{"accumulators 1 and 2 swapped", replace(`(wgmma\.mma_async\S+ \{%\w+, )(%\w+), (%\w+),`, `$1$3, $2,`, 0), ""},
		{"a thread less in the warpgroup", replace(`(wgmma\.mma_async)`, `@%p1 $1`, 1), "lanes missing|in flight|registers|nothing has written|unknown"},
	}
	ofWideWarpgroups = []mutation{
		{"the leading offset of the descriptors doubled", descriptors(double(16)), ""},
	}
	ofTMA = []mutation{
		{"16 bytes more expected", replace(`(mbarrier\.arrive\.expect_tx\S+ _, \[%\w+\], )(%\w+);`, `{ .reg .u32 t; add.s32 t, $2, 16; ${1}t; }`, 0), "nothing is on its way|trap"},
		{"the parity flipped", replace(`(mbarrier\.try_wait\S+ p, \[%\w+\], )(%\w+);`, `{ .reg .u32 t; xor.b32 t, $2, 1; ${1}t; }`, 0), ""},
		{"no wait for the mbarrier", replace(`\{ \.reg \.pred p; mbarrier\.try_wait\S+ p, \[%\w+\], %\w+; selp\.u32 (%\w+), 1, 0, p; \}`, `mov.u32 $1, 1;`, 0), "race in shared memory|on its way"},
		{"coordinates swapped", replace(`\{(%\w+), (%\w+)\}\]`, `{$2, $1}]`, 0), ""},
		{"an mbarrier for two arrivals", replace(`(mbarrier\.init\S+ \[%\w+\], )1;`, `${1}2;`, 0), "nothing is on its way"},
		// The image takes the map's place: with a fence it is found out a step later.
		{"a tensor map in global memory", replace(`cvta\.param\.u64\s+(%rd\d+), %rd\d+;`, `ld.param.u64 $1, [conv_forward_tma_128x64_param_0+1024]; and.b64 $1, $1, -64;`, 0), "missing fence: a tensor map in global memory|out of bounds"},
		{"no tensor map", replace(`cvta\.param\.u64\s+(%rd\d+), %rd\d+;`,
			`ld.param.u64 $1, [conv_forward_tma_128x64_param_0+1024]; and.b64 $1, $1, -64; fence.proxy.tensormap::generic.acquire.gpu [$1], 128;`, 0), "there is no tensor map|out of bounds"},
		{"no fence after mbarrier.init", replace(`fence\.proxy\.async\S+;`, ``, 1), "missing fence"},
	}
	ofBlocks = []mutation{
		{"half of the lanes at a barrier", replace(`(bar\.sync\s+0;)`, `{ .reg .pred half; .reg .u32 t; mov.u32 t, %laneid; setp.lt.s32 half, t, 16; @half $1 }`, 1), "lanes missing|race in shared memory|nothing has written"},
		{"a thread ends before a barrier", replace(`(bar\.sync\s+0;)`, `{ .reg .pred first; .reg .u32 t; mov.u32 t, %tid.x; setp.eq.s32 first, t, 0; @first ret; } $1`, 1), "lanes missing"},
		{"lanes part at bra.uni", replace(`@(%p\d+) bra `, `@$1 bra.uni `, 0), "lanes part"},
		{"no barrier", replace(`bar\.sync\s+0;`, ``, 0), "race in shared memory|nothing has written"},
	}
	ofReductions = []mutation{
		{"no barrier", replace(`bar\.sync\s+0;`, ``, 0), "race in shared memory|nothing has written"},
		{"no first membar", replace(`membar\.gl;`, ``, 1), "nothing has written|FAIL"},
	}
	ofAddresses = []mutation{
		{"stores 16 bytes further", replace(`(st\.global\.\S+\s+\[%rd\d+)\]`, `$1+16]`, 0), ""},
		{"stores 2 bytes further", replace(`(st\.global\.(?:v4\.)?[uf]32\s+\[%rd\d+)\]`, `$1+2]`, 0), "misaligned"},
		{"loads a megabyte further", replace(`(ld\.global\.\S+\s+\S+ \[%rd\d+)\]`, `$1+1048576]`, 0), "out of bounds"},
	}
)

// planted lists which kernels are changed in which ways. The first of each family is enough for
// every change to be noticed once; the others are long.
var mutants = []struct {
	target
	mutations []mutation
	long      bool
}{
	{target{"compute_80", "conv_forward", "conv_forward_bf16_128x64", "conv_forward_bf16"}, join(ofTensorCores, ofMatrices[1:], ofCopies), false},
	{target{"compute_80", "conv_backward_data", "conv_backward_data_bf16_128x64", "conv_data_bf16"}, join(ofTensorCores, ofMatrices, ofCopies), true},
	{target{"compute_80", "conv_backward_filter", "conv_backward_filter_bf16_64x128", "conv_filter_bf16"}, join(ofTensorCores, ofMatrices[:1], ofMatrices[2:], ofCopies), true},
	{target{"compute_80", "conv_forward", "conv_forward_tf32_128x64", "conv_forward_tf32"},
		join(ofTensorCores, []mutation{{"operands of tf32 not rounded", replace(`cvt\.rna\.tf32\.f32`, `mov.b32`, 0), "has low bits"}}), false},
	{target{"compute_80", "conv_backward_filter", "conv_backward_filter_tf32_64x128", "conv_filter_tf32"}, join(ofTensorCores, ofCopies), true},
	{target{"compute_80", "conv_forward", "conv_forward_f32_128x64", "conv_forward_f32"}, ofCopies, true},
	{target{"sm_90a", "conv_forward", "conv_forward_wgmma_128x64", "conv_forward_wgmma"}, join(ofCopies, ofWarpgroups), false},
	{target{"sm_90a", "conv_backward_data", "conv_backward_data_wgmma_128x64", "conv_data_wgmma"}, join(ofCopies, ofWarpgroups), true},
	{target{"sm_90a", "conv_backward_filter", "conv_backward_filter_wgmma_64x128", "conv_filter_wgmma"}, join(ofCopies, ofWarpgroups), true},
	{target{"sm_90a", "conv_backward_data", "conv_backward_data_wgmma_128x128", "conv_data_wgmma"}, ofWideWarpgroups, false},
	{target{"sm_90a", "conv_forward", "conv_forward_tma_128x64", "conv_forward_tma_wgmma"}, ofTMA, false},
	{target{"sm_90a", "conv_forward", "conv_forward_tma_128x128", "conv_forward_tma_wgmma"}, join(ofTMA[:5], ofWarpgroups), true},
	{target{"compute_80", "softmax_cross_entropy", "softmax_cross_entropy_f32", "softmax_cross_entropy_f32"},
		join(ofBlocks, []mutation{{"shfl from the neighbour always", replace(`(mov\.u32 \t%r\d+, )16;`, `${1}1;`, 0), ""}}), true},
	{target{"compute_80", "lrn", "lrn_f32", "lrn_f32"}, join(ofBlocks[:2], ofBlocks[3:], ofAddresses), false},
	{target{"compute_80", "augment", "augment_resize", "augment_resize"}, ofBlocks, false},
	{target{"compute_80", "bias_backward", "bias_backward_f32", "bias_backward_f32"}, ofReductions, false},
	{target{"compute_80", "batchnorm_forward", "batchnorm_sums_f32", "batchnorm_sums_f32"}, ofReductions, true},
	{target{"compute_80", "batchnorm_backward", "batchnorm_reduce_f32", "batchnorm_backward_f32"}, ofReductions, true},
	{target{"compute_80", "optimizer", "gradient_norm", "update"}, ofReductions, true},
}

func join(lists ...[]mutation) []mutation {
	var all []mutation
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func TestPTXMutations(t *testing.T) {
	program := buildPTX(t)
	codes := compiled(t)
	for _, m := range mutants {
		if m.long && !long() {
			continue
		}
		for _, x := range m.mutations {
			t.Run(m.kernel+"/"+x.what, func(t *testing.T) {
				t.Parallel()
				c := codes[m.architecture]
				text, err := os.ReadFile(filepath.Join(c.folder, m.source+".ptx"))
				require.NoError(t, err)
				changed := change(t, string(text), m.kernel, x.edit)
				folder := t.TempDir()
				require.NoError(t, os.WriteFile(filepath.Join(folder, m.source+".ptx"), []byte(changed), 0o644))
				for seed := range 3 {
					code, out := run(t, []string{"PTX_DEVICE=" + c.device, "TRIBUTARY_CUBINS=" + folder, fmt.Sprintf("EMULATOR_SEED=%d", seed), "PTX_WEAK=1", "PTX_RESIDENT=3"},
						program, "--seed", fmt.Sprint(seed+1), m.test)
					if code != 0 {
						require.Regexp(t, x.want, out)
						return
					}
				}
				t.Error("nothing noticed it")
			})
		}
	}
}

// change edits the body of a kernel.
func change(t *testing.T, text, kernel string, edit func(string) string) string {
	t.Helper()
	begin := strings.Index(text, ".entry "+kernel+"(")
	require.GreaterOrEqual(t, begin, 0, "no kernel %s", kernel)
	end := len(text)
	if n := strings.Index(text[begin+1:], ".entry "); n >= 0 {
		end = begin + 1 + n
	}
	body := edit(text[begin:end])
	require.False(t, text[begin:end] == body, "the kernel has nothing to change")
	return text[:begin] + body + text[end:]
}
