// results.h: CUresult. The table gives the value, the enumerator's name without CUDA_ERROR_, and
// the text.
#pragma once

#define DRIVER_RESULTS(X)                                                                                   \
  X(0, OK, "no error")                                                                                      \
  X(1, INVALID_VALUE, "invalid argument")                                                                   \
  X(2, OUT_OF_MEMORY, "out of memory")                                                                      \
  X(3, NOT_INITIALIZED, "initialization error")                                                             \
  X(4, DEINITIALIZED, "driver shutting down")                                                               \
  X(100, NO_DEVICE, "no CUDA-capable device is detected")                                                   \
  X(101, INVALID_DEVICE, "invalid device ordinal")                                                          \
  X(200, INVALID_IMAGE, "device kernel image is invalid")                                                   \
  X(201, INVALID_CONTEXT, "invalid device context")                                                         \
  X(209, NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device")                     \
  X(218, INVALID_PTX, "a PTX JIT compilation failed")                                                       \
  X(400, INVALID_HANDLE, "invalid resource handle")                                                         \
  X(401, ILLEGAL_STATE, "the operation cannot be performed in the present state")                           \
  X(500, NOT_FOUND, "named symbol not found")                                                               \
  X(600, NOT_READY, "device not ready")                                                                     \
  X(700, ILLEGAL_ADDRESS, "an illegal memory access was encountered")                                       \
  X(701, LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch")                                \
  X(702, LAUNCH_TIMEOUT, "the launch timed out and was terminated")                                         \
  X(719, LAUNCH_FAILED, "unspecified launch failure")                                                       \
  X(801, NOT_SUPPORTED, "operation not supported")                                                          \
  X(900, STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing")                    \
  X(901, STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture")             \
  X(902, STREAM_CAPTURE_MERGE, "operation would result in a merge of separate capture sequences")           \
  X(903, STREAM_CAPTURE_UNMATCHED, "capture was not ended in the same stream as it began")                  \
  X(904, STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work")                                     \
  X(906, STREAM_CAPTURE_IMPLICIT, "operation would make the legacy stream depend on a capturing blocking stream") \
  X(999, UNKNOWN, "unknown error")

namespace driver {
enum Result {
#define RESULT(value, name, text) name = value,
  DRIVER_RESULTS(RESULT)
#undef RESULT
};
}  // namespace driver
