package vec

import "math"

// Every optimizer updates a flat range of parameters w from their gradients g in one pass. Unless
// ema is nil, it also updates their exponential moving average: ema += (1-EMADecay)·(w-ema). That
// is EMADecay·ema + (1-EMADecay)·w, but here the rounding of the two factors causes no bias.
// GradScale multiplies g first: it is 1, or less if the gradient's global norm is clipped.

// SGD is torch.optim.SGD without dampening.
type SGD struct {
	LR, Momentum, WeightDecay float64
	Nesterov                  bool
	GradScale, EMADecay       float64
}

// SGDStep computes d = GradScale·g + WeightDecay·w; buf = Momentum·buf + d; w -= LR·buf, or with
// Nesterov w -= LR·(d + Momentum·buf). buf starts at zero.
func SGDStep[T Float](o SGD, w, g, buf, ema []T) {
	g, buf = g[:len(w)], buf[:len(w)]
	if ema != nil {
		ema = ema[:len(w)]
	}
	lr, momentum, decay, scale, mix := T(o.LR), T(o.Momentum), T(o.WeightDecay), T(o.GradScale), T(1-o.EMADecay)
	if k := simd[T](); k != nil && len(w) > 0 {
		lr, momentum, decay, scale, mix := float32(lr), float32(momentum), float32(decay), float32(scale), float32(mix)
		if ema == nil {
			k.sgd[bit(o.Nesterov)](ptr(w), ptr(g), ptr(buf), lr, momentum, decay, scale, len(w))
		} else {
			k.sgdEMA[bit(o.Nesterov)](ptr(w), ptr(g), ptr(buf), ptr(ema), lr, momentum, decay, scale, mix, len(w))
		}
		return
	}
	for i, p := range w {
		d := fma(decay, p, scale*g[i])
		b := fma(momentum, buf[i], d)
		buf[i] = b
		if o.Nesterov {
			b = fma(momentum, b, d)
		}
		w[i] = fma(-lr, b, p)
		average(ema, i, w[i], mix)
	}
}

// RMSProp is torch.optim.RMSprop with momentum and without centring. With TensorFlow set it is the
// RMSProp that trained the Inception networks, in which Eps is inside the root and the learning
// rate is inside the momentum.
type RMSProp struct {
	LR, Decay, Momentum, Eps, WeightDecay float64
	TensorFlow                            bool
	GradScale, EMADecay                   float64
}

// RMSPropStep computes d = GradScale·g + WeightDecay·w; ms += (1-Decay)·(d²-ms) and then
//
//	PyTorch:    buf = Momentum·buf + d/(sqrt(ms)+Eps);    w -= LR·buf    (ms starts at zero)
//	TensorFlow: buf = Momentum·buf + LR·d/sqrt(ms+Eps);   w -= buf       (ms starts at one)
func RMSPropStep[T Float](o RMSProp, w, g, ms, buf, ema []T) {
	g, ms, buf = g[:len(w)], ms[:len(w)], buf[:len(w)]
	if ema != nil {
		ema = ema[:len(w)]
	}
	lr, momentum, eps, decay := T(o.LR), T(o.Momentum), T(o.Eps), T(o.WeightDecay)
	scale, fresh, mix := T(o.GradScale), T(1-o.Decay), T(1-o.EMADecay)
	if k := simd[T](); k != nil && len(w) > 0 {
		lr, momentum, eps, decay, scale := float32(lr), float32(momentum), float32(eps), float32(decay), float32(scale)
		if ema == nil {
			k.rmsProp[bit(o.TensorFlow)](ptr(w), ptr(g), ptr(ms), ptr(buf), lr, momentum, eps, decay, scale, float32(fresh), len(w))
		} else {
			k.rmsPropEMA[bit(o.TensorFlow)](ptr(w), ptr(g), ptr(ms), ptr(buf), ptr(ema), lr, momentum, eps, decay, scale, float32(fresh), float32(mix), len(w))
		}
		return
	}
	for i, p := range w {
		d := fma(decay, p, scale*g[i])
		s := fma(fresh, fma(d, d, -ms[i]), ms[i])
		ms[i] = s
		if o.TensorFlow {
			buf[i] = fma(momentum, buf[i], lr*d/root(s+eps))
			w[i] = p - buf[i]
		} else {
			buf[i] = fma(momentum, buf[i], d/(root(s)+eps))
			w[i] = fma(-lr, buf[i], p)
		}
		average(ema, i, w[i], mix)
	}
}

// AdamW is torch.optim.AdamW. Bias1 and Bias2 are 1-Beta1^t and 1-Beta2^t at step t = 1, 2, ...
type AdamW struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	Bias1, Bias2                       float64
	GradScale, EMADecay                float64
}

// AdamWStep computes d = GradScale·g; m += (1-Beta1)·(d-m); v += (1-Beta2)·(d²-v);
// w = (1-LR·WeightDecay)·w - LR/Bias1 · m/(sqrt(v)/sqrt(Bias2) + Eps). m and v start at zero.
func AdamWStep[T Float](o AdamW, w, g, m, v, ema []T) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	if ema != nil {
		ema = ema[:len(w)]
	}
	keep, size, correct, eps := T(1-o.LR*o.WeightDecay), T(o.LR/o.Bias1), T(1/math.Sqrt(o.Bias2)), T(o.Eps)
	scale, fresh1, fresh2, mix := T(o.GradScale), T(1-o.Beta1), T(1-o.Beta2), T(1-o.EMADecay)
	if k := simd[T](); k != nil && len(w) > 0 {
		keep, size, correct, eps, scale := float32(keep), float32(size), float32(correct), float32(eps), float32(scale)
		if ema == nil {
			k.adamW(ptr(w), ptr(g), ptr(m), ptr(v), keep, size, correct, eps, scale, float32(fresh1), float32(fresh2), len(w))
		} else {
			k.adamWEMA(ptr(w), ptr(g), ptr(m), ptr(v), ptr(ema), keep, size, correct, eps, scale, float32(fresh1), float32(fresh2), float32(mix), len(w))
		}
		return
	}
	for i, p := range w {
		d := scale * g[i]
		m[i] = fma(fresh1, d-m[i], m[i])
		v[i] = fma(fresh2, fma(d, d, -v[i]), v[i])
		w[i] = fma(-size, m[i]/fma(root(v[i]), correct, eps), keep*p)
		average(ema, i, w[i], mix)
	}
}

// average moves ema[i] towards w. If ema is nil it does nothing.
func average[T Float](ema []T, i int, w, mix T) {
	if ema != nil {
		ema[i] = fma(mix, w-ema[i], ema[i])
	}
}

// root returns the square root.
func root[T Float](v T) T { return T(math.Sqrt(float64(v))) }

// SumSquares returns Σ g² in float64, a part of the gradient's global norm. The squares of float32
// cannot overflow float64, so the result is finite if and only if every g is.
func SumSquares[T Float](g []T) float64 {
	sum := 0.0
	if k := simd[T](); k != nil && len(g) >= 2*k.lanes {
		groups := len(g) / (2 * k.lanes)
		sum = k.sumSquares(ptr(g), groups)
		g = g[groups*2*k.lanes:]
	}
	for _, v := range g {
		sum += float64(v) * float64(v)
	}
	return sum
}
