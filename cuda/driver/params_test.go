//go:build cuda

package driver

import (
	"bytes"
	"strings"
	"testing"
)

func TestPackParams(t *testing.T) {
	type inner struct{ A, B int16 }
	b, err := PackParams(struct {
		P uint64
		I inner
		F [2]float32
		Z int32
	}{0x0102030405060708, inner{1, 2}, [2]float32{1, -2}, 3})
	want := []byte{8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 2, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 3, 0, 0, 0}
	if err != nil || !bytes.Equal(b, want) {
		t.Errorf("%v, %v; want %v", b, err, want)
	}
	for says, v := range map[string]any{
		"not int":      1,
		"not <nil>":    nil,
		"not *struct":  &struct{ A int32 }{},
		".P is *int32": struct{ P *int32 }{},
		".N is int:":   struct{ N int }{},
		".B is bool":   struct{ B bool }{},
		"4 bytes of padding before": struct {
			A int32
			B uint64
		}{},
		"4 bytes of padding at the end": struct {
			A uint64
			B int32
		}{},
		".I[] is string": struct{ I [2]string }{},
	} {
		if _, err := PackParams(v); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%T: %v, want %q", v, err, says)
		}
	}
}
