//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// batchNormForward makes two launches. The first computes the statistics, from x or from the sums
// that a convolution left. The second computes y = x·scale + shift.
func (b *binder) batchNormForward(s *graph.BatchNormForward) error {
	rows, cols := int32(s.X.Rows()), int32(s.X.Shape.C)
	final := kernels.BatchNormFinal{
		Gamma: b.param(s.Gamma), Beta: b.param(s.Beta), RunningMean: b.param(s.RunningMean), RunningVar: b.param(s.RunningVar),
		Mean: b.vector(s.Mean), Invstd: b.vector(s.InvStd), Scale: b.vector(s.Scale), Shift: b.vector(s.Shift), Eps: s.Eps, Momentum: s.Momentum}
	var err error
	if s.Sums.Valid() {
		from := b.sums[s.Sums.Buffer]
		grid, partial, counters := b.reductionOn(kernels.FinalizeGrid(from.tiles, s.X.Shape.C), s.X.Shape.C, 2)
		err = b.launch("batchnorm_finalize", grid, kernels.BatchNormFinalizeParams{
			Sums: from.address, Partial: partial, Counters: counters, Final: final, Parts: int32(from.tiles), Rows: rows, Cols: cols})
		if err == nil {
			b.moves(2 * 4 * from.tiles * s.X.Shape.C)
		}
	} else {
		grid, partial, counters := b.reduction(s.X, 2)
		err = b.launchOver("batchnorm_sums", grid, kernels.BatchNormSumsParams{
			X: b.view(s.X), Partial: partial, Counters: counters, Final: final, Rows: rows, Cols: cols})
		if err == nil {
			b.moves(s.X.Bytes())
		}
	}
	if err != nil {
		return err
	}
	if err := b.scaleShift(s.X, s.Y, b.vector(s.Scale), b.vector(s.Shift), s.ReLU); err != nil {
		return err
	}
	b.moves(s.X.Bytes() + s.Y.Bytes())
	return nil
}

// batchNormBackward makes two launches. The first computes the gradients of gamma and beta, and the
// coefficients of dx. The second computes dx.
func (b *binder) batchNormBackward(s *graph.BatchNormBackward) error {
	grid, partial, counters := b.reduction(s.X, 2)
	coefficients := b.work.take(2 * 4 * int64(s.X.Shape.C))
	rows, cols := int32(s.X.Rows()), int32(s.X.Shape.C)
	err := b.launchOver("batchnorm_reduce", grid, kernels.BatchNormReduceParams{
		X: b.view(s.X), DY: b.view(s.DY), Mean: b.vector(s.Mean), Invstd: b.vector(s.InvStd), Scale: b.vector(s.Scale), Shift: b.vector(s.Shift),
		Dgamma: b.gradient(s.Gamma), Dbeta: b.gradient(s.Beta), Coefficients: coefficients, Partial: partial, Counters: counters, Run: b.run,
		Rows: rows, Cols: cols, ReLU: flag(s.ReLU), Accumulate: flag(s.Accumulate)})
	if err != nil {
		return err
	}
	b.moves(s.X.Bytes() + s.DY.Bytes())
	if !s.DX.Valid() {
		return nil
	}
	err = b.launchOver("batchnorm_apply", b.overChannels(s.DX), kernels.BatchNormApplyParams{
		X: b.view(s.X), DY: b.view(s.DY), DX: b.view(s.DX), Scale: b.vector(s.Scale), Shift: b.vector(s.Shift), Coefficients: coefficients,
		Rows: rows, Cols: cols, ReLU: flag(s.ReLU), Accumulate: flag(s.AccumulateDX)})
	if err != nil {
		return err
	}
	bytes := s.X.Bytes() + s.DY.Bytes() + s.DX.Bytes()
	if s.AccumulateDX {
		bytes += s.DX.Bytes()
	}
	b.moves(bytes)
	return nil
}

func (b *binder) batchNormFold(s *graph.BatchNormFold) error {
	entries := make([]kernels.BatchNormFoldEntry, len(s.Norms))
	for i, n := range s.Norms {
		entries[i] = kernels.BatchNormFoldEntry{
			Gamma: b.param(n.Gamma), Beta: b.param(n.Beta), Mean: b.param(n.RunningMean), Var: b.param(n.RunningVar),
			Scale: b.vector(s.Scale[i]), Shift: b.vector(s.Shift[i]), Eps: n.Eps, Cols: int32(s.Scale[i].Shape.C)}
	}
	return b.launch("batchnorm_fold", driver.Dim{X: len(entries), Y: 1, Z: 1}, kernels.BatchNormFoldParams{Entries: b.table(memoryOf(entries))})
}
