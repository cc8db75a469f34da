// driver.h: the part of the driver API that the test programs use, declared from the documented
// ABI, and a few helpers. The programs link with libcuda.so.1: the emulated one or a GPU's.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st* CUcontext;
typedef struct CUmod_st* CUmodule;
typedef struct CUfunc_st* CUfunction;
typedef struct CUstream_st* CUstream;
typedef struct CUevent_st* CUevent;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;

extern "C" {
CUresult cuTensorMapEncodeTiled(void*, int, unsigned, void*, const uint64_t*, const uint64_t*, const unsigned*, const unsigned*, int, int, int, int);
CUresult cuInit(unsigned);
CUresult cuGetErrorName(CUresult, const char**);
CUresult cuDeviceGet(CUdevice*, int);
CUresult cuDeviceGetAttribute(int*, int, CUdevice);
CUresult cuDevicePrimaryCtxRetain(CUcontext*, CUdevice);
CUresult cuCtxSetCurrent(CUcontext);
CUresult cuCtxSynchronize(void);
CUresult cuModuleLoadData(CUmodule*, const void*);
CUresult cuModuleGetFunction(CUfunction*, CUmodule, const char*);
CUresult cuFuncSetAttribute(CUfunction, int, int);
CUresult cuLaunchKernel(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**, void**);
CUresult cuMemAlloc_v2(CUdeviceptr*, size_t);
CUresult cuMemFree_v2(CUdeviceptr);
CUresult cuMemAllocHost_v2(void**, size_t);
CUresult cuMemFreeHost(void*);
CUresult cuMemcpyHtoD_v2(CUdeviceptr, const void*, size_t);
CUresult cuMemcpyDtoH_v2(void*, CUdeviceptr, size_t);
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr, const void*, size_t, CUstream);
CUresult cuMemcpyDtoHAsync_v2(void*, CUdeviceptr, size_t, CUstream);
CUresult cuMemsetD32Async(CUdeviceptr, unsigned, size_t, CUstream);
CUresult cuMemsetD8_v2(CUdeviceptr, unsigned char, size_t);
CUresult cuStreamCreate(CUstream*, unsigned);
CUresult cuStreamDestroy_v2(CUstream);
CUresult cuStreamSynchronize(CUstream);
CUresult cuStreamWaitEvent(CUstream, CUevent, unsigned);
CUresult cuStreamBeginCapture_v2(CUstream, int);
CUresult cuStreamEndCapture(CUstream, CUgraph*);
CUresult cuEventCreate(CUevent*, unsigned);
CUresult cuEventDestroy_v2(CUevent);
CUresult cuEventRecord(CUevent, CUstream);
CUresult cuGraphInstantiateWithFlags(CUgraphExec*, CUgraph, unsigned long long);
CUresult cuGraphLaunch(CUgraphExec, CUstream);
CUresult cuGraphDestroy(CUgraph);
CUresult cuGraphExecDestroy(CUgraphExec);
CUresult cuMemAllocManaged(CUdeviceptr*, size_t, unsigned);
}

// CHECK ends the program if a call fails.
#define CHECK(call)                                                                                       \
  do {                                                                                                    \
    const CUresult check_result = (call);                                                                 \
    if (check_result) {                                                                                   \
      const char* check_name = "?";                                                                       \
      cuGetErrorName(check_result, &check_name);                                                          \
      fprintf(stderr, "%s:%d: %s: %s (%d)\n", __FILE__, __LINE__, #call, check_name, check_result);       \
      exit(2);                                                                                            \
    }                                                                                                     \
  } while (0)

struct Grid3 {
  unsigned x = 1, y = 1, z = 1;
};

// launch starts a kernel with one struct as its parameter.
template <class P> CUresult launch(CUfunction f, Grid3 grid, unsigned threads, const P& params, unsigned shared = 0, CUstream stream = nullptr) {
  void* list[] = {(void*)&params};
  return cuLaunchKernel(f, grid.x, grid.y, grid.z, threads, 1, 1, shared, stream, list, nullptr);
}

// tensor_map describes a matrix of bfloat16 to TMA, with lines `pitch` bytes apart, in boxes of 64
// columns and 8 rows, swizzled for wgmma. Map is any struct of a CUtensorMap's size and alignment.
template <class Map> Map tensor_map(const void* matrix, int columns, int rows, int pitch) {
  enum { bfloat16 = 9, swizzle_128 = 3 };  // CUtensorMapDataType, CUtensorMapSwizzle
  static_assert(sizeof(Map) == 128 && alignof(Map) == 64, "Map is a CUtensorMap");
  Map map;
  const uint64_t size[] = {(uint64_t)columns, (uint64_t)rows}, stride[] = {(uint64_t)pitch};
  const unsigned box[] = {64, 8}, every[] = {1, 1};
  CHECK(cuTensorMapEncodeTiled(&map, bfloat16, 2, (void*)matrix, size, stride, box, every, 0, swizzle_128, 0, 0));
  return map;
}

// current_context makes the device's primary context current on this OS thread.
inline void current_context() {
  CUdevice device;
  CUcontext context;
  CHECK(cuInit(0));
  CHECK(cuDeviceGet(&device, 0));
  CHECK(cuDevicePrimaryCtxRetain(&context, device));
  CHECK(cuCtxSetCurrent(context));
}
