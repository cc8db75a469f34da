// Package parity compares a backend with PyTorch: the losses and the gradient of every parameter in
// one training step, for networks with heads, with weights and images that both sides generate
// (generate.go, common.py).
//
// There are two ways. Fixtures (testdata, made by make_fixture.py) hold digests of PyTorch's
// float64 results, so that Run can check a backend wherever Go runs. And compare.py compares whole
// tensors: inputs.py writes weights and a batch, and "tributary grads" and torch_grads.py compute
// gradients from them. README.md describes both.
//
// The bars are these. In fp64 losses agree within 1e-10 (relative), and every parameter's gradient
// within 1e-7 (relative L2). In fp32 losses agree within 1e-4, and the worst and the median error
// of a gradient against float64 are at most twice PyTorch's own in float32.
package parity
