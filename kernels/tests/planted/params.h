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
  alignas(64) uint64_t opaque[16];
} PlantedMap;
typedef struct {
  PlantedMap map;
  const PlantedMap* global;  // the same map, in global memory
  float* y;
  int32_t pad[12];
} TmaParams;
typedef struct {
  const void* a;  // 16 x k
  const void* b;  // k x 16
  float* d;       // 16 x 16
  int32_t k;
  int32_t pad;
} GemmParams;
