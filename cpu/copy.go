package cpu

import "github.com/tributary-ml/tributary/graph"

func (b *binder[T]) copy(s *graph.Copy) func(*run) { return b.scaled(s.X, s.Y, 1, s.Accumulate) }
