package vec

import (
	"slices"

	"golang.org/x/sys/cpu"
)

// detect returns the widest instruction set of this machine.
func detect() *kernels {
	if sets := instructionSets(); len(sets) > 0 {
		return sets[len(sets)-1]
	}
	return nil
}

// instructionSets are the kernels that this machine can run, the widest last.
func instructionSets() []*kernels {
	x := cpu.X86
	avx2 := x.HasAVX2 && x.HasFMA && x.HasBMI2
	avx512 := avx2 && x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL
	return slices.Clip([]*kernels{&kernelsAVX2, &kernelsAVX512}[:bit(avx2)+bit(avx512)])
}

// pair is the variants of a kernel without a flag and with it.
func pair[F any](off, on F) [2]F { return [2]F{off, on} }

var kernelsAVX2 = kernels{
	name: "AVX2", lanes: 8,
	scaleShift:    pair(scaleShiftAVX2, scaleShiftClampAVX2),
	addShift:      pair(addShiftAVX2, addShiftClampAVX2),
	relu:          reluAVX2,
	reluBackward:  pair(reluBackwardAVX2, reluBackwardAccAVX2),
	add:           addAVX2,
	copy:          copyAVX2,
	axpy:          axpyAVX2,
	scale:         scaleAVX2,
	fill:          fillAVX2,
	columnSum:     columnSumAVX2,
	channelSums:   channelSumsAVX2,
	probe:         probeAVX2,
	bnReduce:      bnReduceAVX2,
	bnReduceClamp: bnReduceClampAVX2,
	bnApply:       pair(bnApplyAVX2, bnApplyAccAVX2),
	bnApplyClamp:  pair(bnApplyClampAVX2, bnApplyClampAccAVX2),
	maxRun:        maxRunAVX2,
	maxIndexRun:   maxIndexRunAVX2,
	maxBackRun:    pair(maxBackRunAVX2, maxBackRunAccAVX2),
	sumRun:        pair(sumRunAVX2, sumRunAccAVX2),
	lrnForward:    lrnForwardAVX2,
	lrnBackward:   pair(lrnBackwardAVX2, lrnBackwardAccAVX2),
	sgd:           pair(sgdAVX2, sgdNesterovAVX2),
	sgdEMA:        pair(sgdEMAAVX2, sgdNesterovEMAAVX2),
	rmsProp:       pair(rmsPropAVX2, rmsPropTFAVX2),
	rmsPropEMA:    pair(rmsPropEMAAVX2, rmsPropTFEMAAVX2),
	adamW:         adamWAVX2,
	adamWEMA:      adamWEMAAVX2,
	sumSquares:    sumSquaresAVX2,
	compare:       compareAVX2,
	normalize:     normalizeAVX2,
}

var kernelsAVX512 = kernels{
	name: "AVX512", lanes: 16,
	scaleShift:    pair(scaleShiftAVX512, scaleShiftClampAVX512),
	addShift:      pair(addShiftAVX512, addShiftClampAVX512),
	relu:          reluAVX512,
	reluBackward:  pair(reluBackwardAVX512, reluBackwardAccAVX512),
	add:           addAVX512,
	copy:          copyAVX512,
	axpy:          axpyAVX512,
	scale:         scaleAVX512,
	fill:          fillAVX512,
	columnSum:     columnSumAVX512,
	channelSums:   channelSumsAVX512,
	probe:         probeAVX512,
	bnReduce:      bnReduceAVX512,
	bnReduceClamp: bnReduceClampAVX512,
	bnApply:       pair(bnApplyAVX512, bnApplyAccAVX512),
	bnApplyClamp:  pair(bnApplyClampAVX512, bnApplyClampAccAVX512),
	maxRun:        maxRunAVX512,
	maxIndexRun:   maxIndexRunAVX512,
	maxBackRun:    pair(maxBackRunAVX512, maxBackRunAccAVX512),
	sumRun:        pair(sumRunAVX512, sumRunAccAVX512),
	lrnForward:    lrnForwardAVX512,
	lrnBackward:   pair(lrnBackwardAVX512, lrnBackwardAccAVX512),
	sgd:           pair(sgdAVX512, sgdNesterovAVX512),
	sgdEMA:        pair(sgdEMAAVX512, sgdNesterovEMAAVX512),
	rmsProp:       pair(rmsPropAVX512, rmsPropTFAVX512),
	rmsPropEMA:    pair(rmsPropEMAAVX512, rmsPropTFEMAAVX512),
	adamW:         adamWAVX512,
	adamWEMA:      adamWEMAAVX512,
	sumSquares:    sumSquaresAVX512,
	compare:       compareAVX512,
	normalize:     normalizeAVX512,
}
