package dataset

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset/internal/raster"
)

// blackPNG returns a PNG of w×h black grey pixels of the given number of bits. The file takes a
// thousandth of them.
func blackPNG(t testing.TB, w, h, bits int) []byte {
	file := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, content []byte) {
		file = binary.BigEndian.AppendUint32(file, uint32(len(content)))
		s := append([]byte(name), content...)
		file = binary.BigEndian.AppendUint32(append(file, s...), crc32.ChecksumIEEE(s))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	chunk("IHDR", append(head, byte(bits), 0, 0, 0, 0))
	var z bytes.Buffer
	out := zlib.NewWriter(&z)
	row := make([]byte, 1+(w*bits+7)/8)
	for range h {
		_, err := out.Write(row)
		require.NoError(t, err)
	}
	require.NoError(t, out.Close())
	chunk("IDAT", z.Bytes())
	chunk("IEND", nil)
	return file
}

// heapBytes returns the size of live and dead objects.
func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Any number of goroutines that decode large images stay within the memory limit.
func TestMemoryOfManyWorkers(t *testing.T) {
	const side, images = 3000, 8 // 27 MB each
	dir := t.TempDir()
	file := blackPNG(t, side, side, 8)
	for i := range images {
		class := filepath.Join(dir, "train", strconv.Itoa(i%2))
		require.NoError(t, os.MkdirAll(class, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(class, strconv.Itoa(i)+".png"), file, 0o644))
	}
	const limit = 80 << 20 // 60 MiB of it are for pixels: two images
	set, err := Open(t.Context(), "folder:"+dir, OpenOptions{Memory: limit})
	require.NoError(t, err)
	defer set.Close()
	l, err := NewLoader(set.Train, CenterCrop{8, 8}, LoaderOptions{Batch: images, Workers: images})
	require.NoError(t, err)

	defer debug.SetGCPercent(debug.SetGCPercent(5))
	before := heapBytes()
	peak := uint64(0)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				peak = max(peak, heapBytes())
			}
		}
	}()
	n := 0
	for b, err := range l.Epoch(t.Context(), 0, 0) {
		require.NoError(t, err)
		n += b.Rows
		b.Release()
	}
	close(done)
	<-stopped
	require.Positive(t, n)
	// Allow half as much again for garbage that is not collected yet. All images at once would take
	// 216 MB more.
	require.Less(t, peak-min(before, peak), uint64(limit+limit/2))
	all := set.Train.(*imageFolder).images.memory
	require.True(t, all.pixels.left.TryAcquire(all.pixels.size), "all memory is given back")
	require.True(t, all.files.left.TryAcquire(all.files.size))
}

// The error for an image that is too large by itself names its size, the memory it needs and the
// memory there is.
func TestMemoryOfOneImage(t *testing.T) {
	images := &decoder{memory: newBudget(4 << 20)}
	var m Image
	_, err := images.decode(pngFile(t, pattern(1200, 900)), 3, &m)
	require.ErrorContains(t, err, "PNG: decoding its 1200×900 pixels takes 4 MiB, and there are 3 MiB for all that is decoded at a time: make the image smaller, or decode where there is more memory")
	_, err = images.decode(pngFile(t, pattern(1000, 900)), 3, &m)
	require.NoError(t, err)

	// Images of more than 67 megapixels are decoded if they fit.
	images = &decoder{memory: newBudget(120 << 20)}
	_, err = images.decode(blackPNG(t, 9000, 8000, 1), 1, &m)
	require.NoError(t, err)
	require.Equal(t, []int{8000, 9000}, []int{m.H, m.W})

	free, err := images.memory.takeFile(nil, 31<<20)
	require.Nil(t, free)
	require.ErrorContains(t, err, "its 32505856 bytes take 31 MiB, and there are 30 MiB")
}

// A coloured JPEG is decoded to grey if there is memory for the grey but not for the colours, with
// either decoder, and whatever part is needed.
func TestMemoryOfGrey(t *testing.T) {
	file := jpegFile(t, 900, 900)
	h, err := jpegHeader(file)
	require.NoError(t, err)
	images := &decoder{memory: newBudget((2*900*900 + h.Memory) * 4 / 3)}
	var m Image
	_, err = images.decode(file, 3, &m)
	require.ErrorContains(t, err, "JPEG: decoding its 900×900 pixels takes")
	for _, n := range []need{everything(900, 900), {box: box{100, 100, 50, 50}, shrink: 1}} {
		_, _, err = images.decodePiece(file, 1, func(int, int) need { return n }, &m)
		require.NoError(t, err)
	}
}

// An image's memory is taken until its user releases it, and waiting for memory ends with the
// context.
func TestLease(t *testing.T) {
	images := &decoder{memory: newBudget(1 << 20)}
	b := images.memory
	ctx, cancel := context.WithCancel(t.Context())
	l := &lease{ctx: ctx}
	m := &Image{lease: l}
	file := pngFile(t, pattern(100, 100))
	for range 3 { // an image in the same memory replaces the previous one
		_, err := images.decode(file, 3, m)
		require.NoError(t, err)
		require.Equal(t, int64(30000), l.held)
	}
	require.False(t, b.pixels.left.TryAcquire(b.pixels.size-29999))
	l.release()
	l.release()
	require.True(t, b.pixels.left.TryAcquire(b.pixels.size))

	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := images.decode(file, 3, m) // all memory is taken
	require.ErrorIs(t, err, context.Canceled)
	_, err = images.memory.takePixels(nil, raster.Header{Width: 1, Height: 1, Memory: 1 << 40}, 3)
	require.ErrorContains(t, err, "1048577 MiB")
	require.Zero(t, l.held)
}
