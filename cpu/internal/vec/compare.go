package vec

// Compare returns Σ a·b, Σ a² and Σ (a-b)² in float64. b must be as long as a.
func Compare[T Float](a, b []T) (dot, squares, apart float64) {
	b = b[:len(a)]
	if k := simd[T](); k != nil && len(a) >= k.lanes {
		groups := len(a) / k.lanes
		dot, squares, apart = k.compare(ptr(a), ptr(b), groups)
		a, b = a[groups*k.lanes:], b[groups*k.lanes:]
	}
	for i, v := range a {
		u, w := float64(v), float64(b[i])
		dot += u * w
		squares += u * u
		apart += (u - w) * (u - w)
	}
	return dot, squares, apart
}
