// Package interop exchanges weights, gradients and batches with other frameworks: safetensors files with torchvision's and timm's names
// and layouts, and whole networks as ONNX models.
//
// Inside Tributary filters are (K, R, S, C) and activations NHWC; in files they are OIHW and NCHW, as PyTorch has them, and the
// weights of a linear layer behind a feature map are (K, C·H·W).
package interop
