// params.h: the parameters of the planted kernels.
#pragma once
#include <stdint.h>
typedef struct {
  const float* x;
  float* y;
  int32_t n;
  int32_t pad;
} PlantedParams;
typedef struct {
  const void* a;  // 16 x k
  const void* b;  // k x 16
  float* d;       // 16 x 16
  int32_t k;
  int32_t pad;
} GemmParams;
