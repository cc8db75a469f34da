//go:build cuda

package cuda

import (
	"fmt"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// binding returns the function that turns a step into launches, or nil if no kernel runs the step.
// It is the table of what the backend can do. The methods for an operation are in the file with the
// operation's name.
func binding(s graph.Step) func(*binder) error {
	if limit(s) != "" {
		return nil
	}
	switch s := s.(type) {
	case *graph.NormalizeStep:
		return with(s, (*binder).normalize)
	case *graph.AugmentStep:
		return with(s, (*binder).augment)
	case *graph.Convert:
		return with(s, (*binder).convert)
	case *graph.ConvForward:
		return with(s, (*binder).convForward)
	case *graph.ConvBackwardData:
		return with(s, (*binder).convBackwardData)
	case *graph.ConvBackwardFilter:
		return with(s, (*binder).convBackwardFilter)
	case *graph.Affine:
		return with(s, (*binder).affine)
	case *graph.BiasBackward:
		return with(s, (*binder).biasBackward)
	case *graph.BatchNormForward:
		return with(s, (*binder).batchNormForward)
	case *graph.BatchNormBackward:
		return with(s, (*binder).batchNormBackward)
	case *graph.BatchNormFold:
		return with(s, (*binder).batchNormFold)
	case *graph.ReLUForward:
		return with(s, (*binder).reluForward)
	case *graph.ReLUBackward:
		return with(s, (*binder).reluBackward)
	case *graph.MaxPoolForward:
		return with(s, (*binder).maxPoolForward)
	case *graph.MaxPoolBackward:
		return with(s, (*binder).maxPoolBackward)
	case *graph.AvgPoolForward:
		return with(s, (*binder).avgPoolForward)
	case *graph.AvgPoolBackward:
		return with(s, (*binder).avgPoolBackward)
	case *graph.AdaptiveAvgPoolForward:
		return with(s, (*binder).adaptiveAvgPoolForward)
	case *graph.AdaptiveAvgPoolBackward:
		return with(s, (*binder).adaptiveAvgPoolBackward)
	case *graph.LRNForward:
		return with(s, (*binder).lrnForward)
	case *graph.LRNBackward:
		return with(s, (*binder).lrnBackward)
	case *graph.Copy:
		return with(s, (*binder).copy)
	case *graph.AddForward:
		return with(s, (*binder).addForward)
	case *graph.AddBackward:
		return with(s, (*binder).addBackward)
	case *graph.ScaleStep:
		return with(s, (*binder).scale)
	case *graph.DropoutStep:
		return with(s, (*binder).dropout)
	case *graph.ProbeStep:
		return with(s, (*binder).probe)
	case *graph.SoftmaxCrossEntropy:
		return with(s, (*binder).softmaxCrossEntropy)
	case *graph.UpdateStep:
		return with(s, (*binder).update)
	}
	return nil
}

// with binds a method of binder to a step.
func with[S graph.Step](s S, method func(*binder, S) error) func(*binder) error {
	return func(b *binder) error { return method(b, s) }
}

// limit returns a remark on what the step has more of than the kernels take, "" if they take it
// all.
func limit(s graph.Step) string {
	addends := 0
	switch s := s.(type) {
	case *graph.SoftmaxCrossEntropy:
		if len(s.Heads) > kernels.MaxHeads {
			return fmt.Sprintf(" (it has %d heads; at most %d run)", len(s.Heads), kernels.MaxHeads)
		}
	case *graph.AddForward:
		addends = len(s.Xs)
	case *graph.AddBackward:
		addends = len(s.Targets)
	}
	if addends > kernels.MaxAddends {
		return fmt.Sprintf(" (at most %d inputs run)", kernels.MaxAddends)
	}
	return ""
}
