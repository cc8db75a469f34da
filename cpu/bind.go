package cpu

import (
	"fmt"

	"github.com/tributary-ml/tributary/graph"
)

// step binds one step to the plan's memory. It is the table of all steps that the backend has. The
// methods of an operation are in the file with the operation's name. The functions that they return
// write only what the step declares.
func (b *binder[T]) step(s graph.Step) (func(*run), error) {
	switch s := s.(type) {
	case *graph.NormalizeStep:
		return b.normalize(s), nil
	case *graph.AugmentStep:
		return b.augment(s), nil
	case *graph.Convert:
		return b.convert(s), nil
	case *graph.ConvForward:
		return b.convForward(s), nil
	case *graph.ConvBackwardData:
		return b.convBackwardData(s), nil
	case *graph.ConvBackwardFilter:
		return b.convBackwardFilter(s), nil
	case *graph.Affine:
		return b.affine(s), nil
	case *graph.BiasBackward:
		return b.biasBackward(s), nil
	case *graph.BatchNormForward:
		return b.batchNormForward(s), nil
	case *graph.BatchNormBackward:
		return b.batchNormBackward(s), nil
	case *graph.BatchNormFold:
		return b.batchNormFold(s), nil
	case *graph.ReLUForward:
		return b.reluForward(s), nil
	case *graph.ReLUBackward:
		return b.reluBackward(s), nil
	case *graph.MaxPoolForward:
		return b.maxPoolForward(s), nil
	case *graph.MaxPoolBackward:
		return b.maxPoolBackward(s), nil
	case *graph.AvgPoolForward:
		return b.avgPoolForward(s), nil
	case *graph.AvgPoolBackward:
		return b.avgPoolBackward(s), nil
	case *graph.AdaptiveAvgPoolForward:
		return b.adaptiveAvgPoolForward(s), nil
	case *graph.AdaptiveAvgPoolBackward:
		return b.adaptiveAvgPoolBackward(s), nil
	case *graph.LRNForward:
		return b.lrnForward(s), nil
	case *graph.LRNBackward:
		return b.lrnBackward(s), nil
	case *graph.Copy:
		return b.copy(s), nil
	case *graph.AddForward:
		return b.addForward(s), nil
	case *graph.AddBackward:
		return b.addBackward(s), nil
	case *graph.ScaleStep:
		return b.scale(s), nil
	case *graph.DropoutStep:
		return b.dropout(s), nil
	case *graph.ProbeStep:
		return b.probe(s), nil
	case *graph.SoftmaxCrossEntropy:
		return b.softmaxCrossEntropy(s), nil
	case *graph.UpdateStep:
		return b.update(s), nil
	}
	return nil, fmt.Errorf("the CPU backend has no step of this kind")
}
