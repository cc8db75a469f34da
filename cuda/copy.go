//go:build cuda

package cuda

import "github.com/tributary-ml/tributary/graph"

func (b *binder) copy(s *graph.Copy) error { return b.scaled(s.X, s.Y, 1, s.Accumulate) }
