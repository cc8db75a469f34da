// Package interop exchanges weights, gradients and batches with other frameworks. It reads and
// writes safetensors files with the names and layouts of torchvision and timm, and writes whole
// networks as ONNX models.
//
// In Tributary filters are (K, R, S, C) and activations NHWC. In files they are OIHW and NCHW, as
// in PyTorch, and the weights of a linear layer on a feature map are (K, C·H·W).
package interop
