package memory

import (
	"math"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Memory that the process allocates is no longer free, and memory that it drops is free again.
func TestFree(t *testing.T) {
	if Limit() == 0 {
		t.Skip("the system does not say how much memory there is")
	}
	before := Free()
	require.Positive(t, before)
	require.Less(t, before, Limit())
	const n = 256 << 20
	b := make([]byte, n)
	require.InDelta(t, before-n, Free(), n/4)
	runtime.KeepAlive(b)
	b = nil
	runtime.GC()
	require.InDelta(t, before, Free(), n/4)
}

// The limit of the address space counts: the test runs itself under ulimit -v.
func TestAddressLimit(t *testing.T) {
	const variable = "TRIBUTARY_TEST_ADDRESS_LIMIT"
	if os.Getenv(variable) != "" {
		free := Free()
		require.Positive(t, free)
		require.Less(t, free, int64(4<<30))
		_ = make([]byte, free) // ends the process if there is less
		return
	}
	if runtime.GOOS != "linux" || freeAddresses() != math.MaxInt64 {
		t.Skip("needs Linux without a limit of addresses")
	}
	c := exec.Command("sh", "-c", `ulimit -v 4194304 && exec "$0" -test.run '^TestAddressLimit$'`, os.Args[0])
	c.Env = append(os.Environ(), variable+"=1")
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
}
