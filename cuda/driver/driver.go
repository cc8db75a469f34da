//go:build cuda

package driver

/*
#define CUDA_INIT_NOW
#include <cuda.h>
#include <string.h>

typedef struct {
	CUfunction function;
	unsigned int grid[3], block[3], shared;
	void *params;
} tributary_launch;

// tributary_run launches a list in one call from Go, because a call from Go costs more than a
// launch. *failed becomes the index of the launch that an error came from. With wait, the host
// waits for each launch. The driver copies each parameter from its address. A buffer of all
// parameters would not do: in it, the place of a parameter that is aligned to more than 16 bytes
// depends on the GPU.
static CUresult tributary_run(CUcontext context, CUstream stream, const tributary_launch *list, int n, int wait, int *failed)
{
	CUresult r = cuCtxSetCurrent(context);
	for (int i = 0; i < n && r == CUDA_SUCCESS; i++) {
		const tributary_launch *l = &list[i];
		void *params[] = {l->params};
		*failed = i;
		r = cuLaunchKernel(l->function, l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1], l->block[2],
			l->shared, stream, params, 0);
		if (wait && r == CUDA_SUCCESS) r = cuStreamSynchronize(stream);
	}
	return r;
}

// The map is made on the stack, because Go's memory is not aligned to 64 bytes.
static CUresult tributary_tensor_map(CUtensorMap *to, cuuint64_t address, const cuuint64_t *size, const cuuint64_t *stride,
	const cuuint32_t *box, const cuuint32_t *every)
{
	CUtensorMap m;
	CUresult r = cuTensorMapEncodeTiled(&m, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, (void *)address, size, stride, box, every,
		CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
	if (r == CUDA_SUCCESS) memcpy(to, &m, sizeof m);
	return r;
}

static CUresult tributary_launch_graph(CUcontext context, CUstream stream, CUgraphExec graph)
{
	CUresult r = cuCtxSetCurrent(context);
	return r == CUDA_SUCCESS ? cuGraphLaunch(graph, stream) : r;
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/tributary-ml/tributary/kernels"
)

// This file has the package's only C code. Its functions return the driver's bare codes; their
// callers add what was attempted.

// The results that this package distinguishes. The driver may return other codes too.
const (
	OutOfMemory         Code = C.CUDA_ERROR_OUT_OF_MEMORY
	Deinitialized       Code = C.CUDA_ERROR_DEINITIALIZED
	NoSymbol            Code = C.CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND
	NoLibrary           Code = C.CUDA_ERROR_SHARED_OBJECT_INIT_FAILED
	StubLibrary         Code = C.CUDA_ERROR_STUB_LIBRARY
	DeviceUnavailable   Code = C.CUDA_ERROR_DEVICE_UNAVAILABLE
	NoDevice            Code = C.CUDA_ERROR_NO_DEVICE
	InvalidDevice       Code = C.CUDA_ERROR_INVALID_DEVICE
	InvalidImage        Code = C.CUDA_ERROR_INVALID_IMAGE
	InvalidContext      Code = C.CUDA_ERROR_INVALID_CONTEXT
	NoBinaryForGPU      Code = C.CUDA_ERROR_NO_BINARY_FOR_GPU
	ECCUncorrectable    Code = C.CUDA_ERROR_ECC_UNCORRECTABLE
	InvalidPTX          Code = C.CUDA_ERROR_INVALID_PTX
	NVLinkUncorrectable Code = C.CUDA_ERROR_NVLINK_UNCORRECTABLE
	NoJIT               Code = C.CUDA_ERROR_JIT_COMPILER_NOT_FOUND
	UnsupportedPTX      Code = C.CUDA_ERROR_UNSUPPORTED_PTX_VERSION
	Contained           Code = C.CUDA_ERROR_CONTAINED
	OperatingSystem     Code = C.CUDA_ERROR_OPERATING_SYSTEM
	NotFound            Code = C.CUDA_ERROR_NOT_FOUND
	NotReady            Code = C.CUDA_ERROR_NOT_READY
	IllegalAddress      Code = C.CUDA_ERROR_ILLEGAL_ADDRESS
	OutOfResources      Code = C.CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES
	LaunchTimeout       Code = C.CUDA_ERROR_LAUNCH_TIMEOUT
	Assert              Code = C.CUDA_ERROR_ASSERT
	HardwareStackError  Code = C.CUDA_ERROR_HARDWARE_STACK_ERROR
	LaunchFailed        Code = C.CUDA_ERROR_LAUNCH_FAILED
	TensorMemoryLeak    Code = C.CUDA_ERROR_TENSOR_MEMORY_LEAK
	SystemNotReady      Code = C.CUDA_ERROR_SYSTEM_NOT_READY
	DriverMismatch      Code = C.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
	CompatNotSupported  Code = C.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE
	ExternalDevice      Code = C.CUDA_ERROR_EXTERNAL_DEVICE
	Unknown             Code = C.CUDA_ERROR_UNKNOWN
)

// result converts a result to a Go error, success to nil.
func result(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return Code(r)
}

// String returns the driver's name for the code, such as CUDA_ERROR_OUT_OF_MEMORY.
func (c Code) String() string {
	var s *C.char
	if C.cuGetErrorName(C.CUresult(c), &s) != C.CUDA_SUCCESS {
		return fmt.Sprintf("CUDA error %d", int(c))
	}
	return C.GoString(s)
}

// Error returns the name of the code and the driver's explanation.
func (c Code) Error() string {
	var s *C.char
	if C.cuGetErrorString(C.CUresult(c), &s) != C.CUDA_SUCCESS {
		return c.String()
	}
	return c.String() + " (" + C.GoString(s) + ")"
}

func initDriver() error { return result(C.cuInit(0)) }

// cu does not export most of its handles. Its handle types are structs of one pointer.
func contextHandle(c cu.CUContext) C.CUcontext  { return *(*C.CUcontext)(unsafe.Pointer(&c)) }
func functionHandle(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }
func streamHandle(s cu.Stream) C.CUstream       { return C.CUstream(unsafe.Pointer(s.C())) }

// The attributes of functions and devices that cu does not name.
const (
	maxDynamicShared      = cu.FunctionAttribute(C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
	maxSharedPerBlock     = cu.DeviceAttribute(C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
	DefaultSharedPerBlock = 48 << 10 // what a launch may have on every device without AllowShared
)

func setMaxDynamicShared(f cu.Function, bytes int) error {
	return result(C.cuFuncSetAttribute(functionHandle(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// TensorMap returns the tensor map of a matrix of bfloat16, which describes it to TMA. The rows
// follow each other without gaps. The number of columns is a multiple of 8, and the address a
// multiple of 16. A box is boxRows rows of 64 columns, 128 bytes, swizzled as wgmma reads them.
// Elements outside the matrix read as zeros.
func (d *Device) TensorMap(address kernels.DevicePtr, columns, rows, boxRows int) (t kernels.TensorMap, err error) {
	var m C.CUtensorMap
	size, stride := [2]C.cuuint64_t{C.cuuint64_t(columns), C.cuuint64_t(rows)}, [1]C.cuuint64_t{2 * C.cuuint64_t(columns)}
	box, every := [2]C.cuuint32_t{64, C.cuuint32_t(boxRows)}, [2]C.cuuint32_t{1, 1}
	err = d.call(func() error {
		return failed(result(C.tributary_tensor_map(&m, C.cuuint64_t(address), &size[0], &stride[0], &box[0], &every[0])),
			"cuTensorMapEncodeTiled of %d rows of %d elements", rows, columns)
	})
	return *(*kernels.TensorMap)(unsafe.Pointer(&m)), err
}

// makeStream is cu.MakeStream with a priority.
func makeStream(priority int) (s cu.Stream, err error) {
	err = result(C.cuStreamCreateWithPriority((*C.CUstream)(unsafe.Pointer(&s)), C.CU_STREAM_NON_BLOCKING, C.int(priority)))
	return s, err
}

func allocPinned(bytes int64) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := result(C.cuMemHostAlloc(&p, C.size_t(bytes), C.CU_MEMHOSTALLOC_PORTABLE))
	return p, err
}

// launchArray holds launches and their parameters in C memory.
type launchArray struct {
	records *C.tributary_launch
	n       int
	params  unsafe.Pointer
}

// newLaunchArray copies launches and the packed bytes of their parameters.
func newLaunchArray(launches []Launch, params [][]byte) launchArray {
	const align = 16
	n, size := len(launches), 0
	for _, p := range params {
		size += (len(p) + align - 1) / align * align
	}
	a := launchArray{
		records: (*C.tributary_launch)(C.calloc(C.size_t(max(n, 1)), C.sizeof_tributary_launch)),
		n:       n,
		params:  C.calloc(C.size_t(max(size, 1)), 1),
	}
	records, offset := unsafe.Slice(a.records, n), 0
	for i, l := range launches {
		at := unsafe.Add(a.params, offset)
		copy(unsafe.Slice((*byte)(at), len(params[i])), params[i])
		offset += (len(params[i]) + align - 1) / align * align
		r := &records[i]
		r.function = functionHandle(l.Function.f)
		r.grid = [3]C.uint{C.uint(l.Grid.X), C.uint(l.Grid.Y), C.uint(l.Grid.Z)}
		r.block = [3]C.uint{C.uint(l.Block.X), C.uint(l.Block.Y), C.uint(l.Block.Z)}
		r.shared = C.uint(l.Shared)
		r.params = at
	}
	return a
}

// run starts launches first to end-1. It returns the index of the launch that an error came from.
func (a launchArray) run(context cu.CUContext, stream cu.Stream, first, end int, wait bool) (failed int, err error) {
	var at, w C.int
	if wait {
		w = 1
	}
	list := unsafe.Slice(a.records, a.n)[first:end]
	r := C.tributary_run(contextHandle(context), streamHandle(stream), unsafe.SliceData(list), C.int(len(list)), w, &at)
	return first + int(at), result(r)
}

func (a launchArray) free() {
	C.free(unsafe.Pointer(a.records))
	C.free(a.params)
}

func beginCapture(s cu.Stream) error {
	return result(C.cuStreamBeginCapture(streamHandle(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
}

type graphHandle struct{ g C.CUgraph }

func endCapture(s cu.Stream) (g graphHandle, err error) {
	err = result(C.cuStreamEndCapture(streamHandle(s), &g.g))
	return g, err
}

func (g graphHandle) nodes() (int, error) {
	var n C.size_t
	err := result(C.cuGraphGetNodes(g.g, nil, &n))
	return int(n), err
}

// instantiate makes a graph that can be launched. Its kernels keep the priorities of the streams in
// which they were captured.
func (g graphHandle) instantiate() (x execHandle, err error) {
	err = result(C.cuGraphInstantiateWithFlags(&x.x, g.g, C.CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY))
	return x, err
}

func (g graphHandle) destroy() error { return result(C.cuGraphDestroy(g.g)) }

type execHandle struct{ x C.CUgraphExec }

func (x execHandle) launch(context cu.CUContext, stream cu.Stream) error {
	return result(C.tributary_launch_graph(contextHandle(context), streamHandle(stream), x.x))
}

func (x execHandle) destroy() error { return result(C.cuGraphExecDestroy(x.x)) }
