package jpeg

// The inverse DCT is that of Loeffler, Ligtenberg and Moschytz (1989) with 12 multiplications, in
// libjpeg's fixed-point arithmetic. Constants have 13 fraction bits; values between the column pass
// and the row pass have 2.
const (
	constBits = 13
	passBits  = 2

	f0298 = 2446 // 0.298631336 · 2^13, and so on
	f0390 = 3196
	f0541 = 4433
	f0765 = 6270
	f0899 = 7373
	f1175 = 9633
	f1501 = 12299
	f1847 = 15137
	f1961 = 16069
	f2053 = 16819
	f2562 = 20995
	f3072 = 25172
)

// exactSum is the largest sum of the coefficients' magnitudes at which no value exceeds 16 bits:
// the column pass multiplies the sum by at most 4·1.39. Larger sums do not occur in encoded
// pictures; inverseWide handles them with libjpeg-turbo's saturation.
const exactSum = 5800

// clamp returns the sample for v, which is centred on zero.
func clamp(v int32) uint8 {
	v += 128
	if uint32(v) > 255 {
		v = ^(v >> 31)
	}
	return uint8(v)
}

// fillBlock writes the samples of a block that has only a DC coefficient.
func fillBlock(dc int16, dst []byte, stride int) {
	v := uint64(clamp((int32(dc)<<passBits+16)>>5)) * 0x0101010101010101
	for y := range 8 {
		put(dst[y*stride:], v)
	}
}

func put(dst []byte, v uint64) {
	_ = dst[7]
	dst[0], dst[1], dst[2], dst[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	dst[4], dst[5], dst[6], dst[7] = byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56)
}

// inverse writes the samples of a block of coefficients to dst.
func inverse(b *[64]int16, dst []byte, stride int) {
	var work [64]int32
	for x := range 8 {
		c := b[x:]
		_ = c[56]
		w := work[x:]
		_ = w[56]
		s0, s1, s2, s3, s4, s5, s6, s7 := int32(c[0]), int32(c[8]), int32(c[16]), int32(c[24]), int32(c[32]), int32(c[40]), int32(c[48]), int32(c[56])
		if s1|s2|s3|s4|s5|s6|s7 == 0 {
			v := s0 << passBits
			w[0], w[8], w[16], w[24], w[32], w[40], w[48], w[56] = v, v, v, v, v, v, v, v
			continue
		}
		z := (s2 + s6) * f0541
		t2, t3 := z-s6*f1847, z+s2*f0765
		t0, t1 := (s0+s4)<<constBits, (s0-s4)<<constBits
		const round = 1 << (constBits - passBits - 1)
		e0, e3 := t0+t3+round, t0-t3+round
		e1, e2 := t1+t2+round, t1-t2+round

		z3, z4 := s7+s3, s5+s1
		z5 := (z3 + z4) * f1175
		z1, z2 := (s7+s1)*-f0899, (s5+s3)*-f2562
		z3, z4 = z3*-f1961+z5, z4*-f0390+z5
		o0, o1 := s7*f0298+z1+z3, s5*f2053+z2+z4
		o2, o3 := s3*f3072+z2+z3, s1*f1501+z1+z4

		const shift = constBits - passBits
		w[0], w[56] = (e0+o3)>>shift, (e0-o3)>>shift
		w[8], w[48] = (e1+o2)>>shift, (e1-o2)>>shift
		w[16], w[40] = (e2+o1)>>shift, (e2-o1)>>shift
		w[24], w[32] = (e3+o0)>>shift, (e3-o0)>>shift
	}
	for y := range 8 {
		w := work[8*y:][:8]
		out := dst[y*stride:][:8]
		s0, s1, s2, s3, s4, s5, s6, s7 := w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
		z := (s2 + s6) * f0541
		t2, t3 := z-s6*f1847, z+s2*f0765
		t0, t1 := (s0+s4)<<constBits, (s0-s4)<<constBits
		const round = 1 << (constBits + passBits + 2)
		e0, e3 := t0+t3+round, t0-t3+round
		e1, e2 := t1+t2+round, t1-t2+round

		z3, z4 := s7+s3, s5+s1
		z5 := (z3 + z4) * f1175
		z1, z2 := (s7+s1)*-f0899, (s5+s3)*-f2562
		z3, z4 = z3*-f1961+z5, z4*-f0390+z5
		o0, o1 := s7*f0298+z1+z3, s5*f2053+z2+z4
		o2, o3 := s3*f3072+z2+z3, s1*f1501+z1+z4

		const shift = constBits + passBits + 3
		out[0], out[7] = clamp((e0+o3)>>shift), clamp((e0-o3)>>shift)
		out[1], out[6] = clamp((e1+o2)>>shift), clamp((e1-o2)>>shift)
		out[2], out[5] = clamp((e2+o1)>>shift), clamp((e2-o1)>>shift)
		out[3], out[4] = clamp((e3+o0)>>shift), clamp((e3-o0)>>shift)
	}
}

// inverseWide is inverse for coefficients of any size, as in damaged files. As in libjpeg-turbo's
// vector code, sums of inputs wrap around at 16 bits, and each pass saturates its results, except
// the column pass if all columns are constant.
func inverseWide(b *[64]int16, dst []byte, stride int) {
	work := *b
	if [56]int16(b[8:]) == [56]int16{} {
		for i := range work {
			work[i] = b[i%8] << passBits
		}
	} else {
		for x := range 8 {
			passWide(work[x:], 8, constBits-passBits)
		}
	}
	for y := range 8 {
		row := work[8*y:][:8]
		passWide(row, 1, constBits+passBits+3)
		for x, v := range row {
			dst[y*stride+x] = clamp(int32(min(max(v, -128), 127)))
		}
	}
}

// passWide transforms eight values with distance step.
func passWide(s []int16, step, shift int) {
	at := func(i int) int32 { return int32(s[i*step]) }
	sum := func(i, j int) int32 { return int32(s[i*step] + s[j*step]) }
	t3, t2 := at(2)*(f0541+f0765)+at(6)*f0541, at(2)*f0541+at(6)*(f0541-f1847)
	t0, t1 := sum(0, 4)<<constBits, int32(s[0]-s[4*step])<<constBits
	z3, z4 := sum(7, 3), sum(5, 1)
	y3, y4 := z3*(f1175-f1961)+z4*f1175, z3*f1175+z4*(f1175-f0390)
	o0, o3 := at(7)*(f0298-f0899)+at(1)*-f0899+y3, at(7)*-f0899+at(1)*(f1501-f0899)+y4
	o1, o2 := at(5)*(f2053-f2562)+at(3)*-f2562+y4, at(5)*-f2562+at(3)*(f3072-f2562)+y3
	even := [4]int32{t0 + t3, t1 + t2, t1 - t2, t0 - t3}
	odd := [4]int32{o3, o2, o1, o0}
	round := int32(1) << (shift - 1)
	for i := range 4 {
		s[i*step] = saturate((even[i] + odd[i] + round) >> shift)
		s[(7-i)*step] = saturate((even[i] - odd[i] + round) >> shift)
	}
}

func saturate(v int32) int16 { return int16(min(max(v, -1<<15), 1<<15-1)) }
