package jpeg

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Package dataset compares the pixels with Pillow's, for files of all kinds.

// segment returns a marker with its length and content.
func segment(marker byte, content ...byte) []byte {
	n := len(content) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, content...)
}

// flat returns a quantization table whose values are all q.
func flat(q byte) []byte {
	return segment(mDQT, append([]byte{0}, bytes.Repeat([]byte{q}, 64)...)...)
}

// oneCode returns a Huffman table whose only symbol has the code 0.
func oneCode(class, symbol byte) []byte {
	return segment(mDHT, append([]byte{class << 4, 1}, append(make([]byte, 15), symbol)...)...)
}

// scanOf returns a scan of the first component, with its data.
func scanOf(ss, se, ahal byte, data ...byte) []byte {
	return append(segment(mSOS, 1, 1, 0, ss, se, ahal), data...)
}

// scans returns a grey progressive file of 16×16 pixels with n scans of AC coefficients that are
// zero, after one of DC coefficients.
func scans(n int) []byte {
	file := append([]byte{0xff, mSOI}, flat(1)...)
	file = append(file, segment(mSOF2, 8, 0, 16, 0, 16, 1, 1, 0x11, 0)...)
	file = append(file, oneCode(0, 0)...)
	file = append(file, oneCode(1, 0)...)
	file = append(file, scanOf(0, 0, 0, 0x0f)...)
	for range n {
		file = append(file, scanOf(1, 63, 0, 0x0f)...)
	}
	return append(file, 0xff, mEOI)
}

func decode(t testing.TB, file []byte) ([]byte, error) {
	h, err := ReadHeader(file)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, h.Width*h.Height)
	var d Decoder
	return dst, d.Decode(file, 1, dst)
}

// A file with far more scans than encoders write would cost much time and is refused at once.
func TestScanLimit(t *testing.T) {
	pix, err := decode(t, scans(maxScans-1))
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{128}, 256), pix)

	many := scans(3000)
	at := bytes.Index(many, []byte{0xff, mDHT})
	copy(many[at:], []byte{0xff, mCOM}) // decoding would fail, but the scans are counted earlier
	_, err = decode(t, many)
	require.ErrorContains(t, err, "3001 scans: an image of this size has at most 500")

	// A marker within another segment is not a scan. A marker that was overlooked is counted when
	// it is reached.
	hidden := scans(maxScans)
	at = bytes.LastIndex(hidden, []byte{0xff, mSOS})
	hidden = append(hidden[:at:at], append(segment(mCOM, 0xff, mEOI), hidden[at:]...)...)
	_, err = decode(t, hidden)
	require.ErrorContains(t, err, "more than 500 scans")

	large := Decoder{header: Header{Width: 16000, Height: 16000, Components: 3}, maxH: 1, maxV: 1}
	for i := range 3 {
		large.comps[i].h, large.comps[i].v = 1, 1
	}
	require.NoError(t, large.layout())
	require.Equal(t, minScans, large.scanLimit())
}

func TestErrors(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, stdjpeg.Encode(&out, picture(50, 40), nil))
	good := out.Bytes()
	frame := bytes.Index(good, []byte{0xff, mSOF0})
	scan := bytes.Index(good, []byte{0xff, mSOS})
	table := bytes.Index(good, []byte{0xff, mDHT})
	with := func(at int, b ...byte) []byte {
		file := bytes.Clone(good)
		copy(file[at:], b)
		return file
	}
	for _, c := range []struct {
		text   string
		offset int
		file   []byte
	}{
		{"does not begin with the marker of a JPEG", 0, []byte("\xff\xd8text")},
		{"the file ends early", len(good) / 2, good[:len(good)/2]},
		{"the file ends early", 20, good[:20]},
		{"coding SOF3 is not", frame + 2, with(frame+1, mSOF0+3)},
		{"12 bits a sample", frame + 19, with(frame+4, 12)},
		{"its header says 50×0 pixels", frame + 19, with(frame+5, 0, 0)},
		{"2 components", frame + 19 - 3, append(append(bytes.Clone(good[:frame]), segment(mSOF0, 8, 0, 40, 0, 50, 2, 1, 0x11, 0, 2, 0x11, 0)...), good[frame+19:]...)},
		{"sampling factors of 5×2", scan + 14, with(frame+11, 0x52)},
		{"sampling factors of 2×2 beside 3×2", scan + 14, with(frame+11, 0x32, 0, 2, 0x22)},
		{"quantization table 3 is missing", scan + 14, with(frame+12, 3)},
		{"bad scan header", scan + 2, with(scan+5, 9)},
		{"bad Huffman table 0", scan + 14, with(table+5, 12, 0, 0, 0, 0, 0, 0, 0, 0)}, // 12 codes of 1 bit
		{"bad Huffman table 0", scan + 14, with(table+5, 0, 4, 8, 0, 0, 0, 0, 0, 0)},  // a code of ones only
		{"unknown marker 0x02", scan + 2, with(scan+1, 2)},
		{"two frames", frame + 21, append(append(bytes.Clone(good[:frame+19]), good[frame:frame+19]...), good[frame+19:]...)},
		{"a second scan", len(good) - 2 + 14, append(append(bytes.Clone(good[:len(good)-2]), good[scan:scan+14]...), 0xff, mEOI)},
		{"bad quantization tables", bytes.Index(good, []byte{0xff, mDQT}) + 2, with(bytes.Index(good, []byte{0xff, mDQT})+4, 9)},
	} {
		_, err := decode(t, c.file)
		require.ErrorContains(t, err, c.text)
		var e *Error
		require.True(t, errors.As(err, &e), c.text)
		require.Equal(t, c.offset, e.Position(), c.text)
	}
	_, err := decode(t, good[:len(good)/2])
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	var d Decoder
	require.ErrorContains(t, d.Decode(good, 2, nil), "2 channels")
	require.ErrorContains(t, d.Decode(good, 1, make([]byte, 3)), "room for 3 bytes of 2000")

	// All data are there: only the end is missing.
	want, err := decode(t, good)
	require.NoError(t, err)
	got, err := decode(t, good[:len(good)-2])
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func picture(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.NRGBA{uint8(7 * x), uint8(5 * y), uint8(x * y), 255})
		}
	}
	return m
}

// The inverse DCT is within one level of the definition. The one with saturation equals the one
// without if nothing saturates.
func TestInverse(t *testing.T) {
	var b [64]int16
	seed := uint32(1)
	for n := range 200 {
		clear(b[:])
		for range n%20 + 1 {
			seed = seed*1664525 + 1013904223
			b[seed>>26] = int16(seed>>8&0x1ff) - 256
		}
		var got, wide [64]byte
		inverse(&b, got[:], 8)
		inverseWide(&b, wide[:], 8)
		require.Equal(t, got, wide)
		for y := range 8 {
			for x := range 8 {
				sum := 0.0
				for v := range 8 {
					for u := range 8 {
						s := float64(b[8*v+u]) / 4
						if u == 0 {
							s /= math.Sqrt2
						}
						if v == 0 {
							s /= math.Sqrt2
						}
						sum += s * math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) * math.Cos(float64(2*y+1)*float64(v)*math.Pi/16)
					}
				}
				require.InDelta(t, min(max(sum+128, 0), 255), float64(got[8*y+x]), 1)
			}
		}
	}
	b = [64]int16{0: -700}
	var filled, whole [64]byte
	fillBlock(b[0], filled[:], 8)
	inverse(&b, whole[:], 8)
	require.Equal(t, whole, filled)
}

// A decoder allocates the memory that the header says, and nothing for the next image of the same
// size.
func TestMemory(t *testing.T) {
	files, err := filepath.Glob("../../testdata/images/jpeg*")
	require.NoError(t, err)
	more, err := filepath.Glob("../../testdata/images/progressive*")
	require.NoError(t, err)
	require.NotEmpty(t, more)
	var large bytes.Buffer
	require.NoError(t, stdjpeg.Encode(&large, picture(1500, 1000), nil))
	all := [][]byte{large.Bytes()}
	for _, name := range append(files, more...) {
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		all = append(all, file)
	}
	for i, file := range all {
		h, err := ReadHeader(file)
		require.NoError(t, err)
		dst := make([]byte, 3*h.Width*h.Height)
		d := new(Decoder)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, d.Decode(file, 3, dst))
		runtime.ReadMemStats(&after)
		// The allocator rounds sizes up.
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(h.Memory()+h.Memory()/8+16<<10), "file %d", i)
		require.Zero(t, testing.AllocsPerRun(3, func() { _ = d.Decode(file, 3, dst) }), "file %d", i)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("../../testdata/images/[jpd][ra][oem]*")
	require.NoError(f, err)
	for _, name := range files {
		file, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(file)
	}
	f.Add(scans(3))
	var d Decoder
	f.Fuzz(func(t *testing.T, file []byte) {
		h, err := ReadHeader(file)
		if err != nil || h.Width*h.Height > 1<<18 {
			return
		}
		again, fresh := make([]byte, 3*h.Width*h.Height), make([]byte, 3*h.Width*h.Height)
		err = d.Decode(file, 3, again)
		require.Equal(t, err, new(Decoder).Decode(file, 3, fresh))
		if err == nil {
			require.Equal(t, fresh, again, "a decoder has no memory of other files")
			return
		}
		var e *Error
		require.True(t, errors.As(err, &e))
		require.LessOrEqual(t, e.Offset, len(file))
	})
}

func BenchmarkDecode(b *testing.B) {
	var file bytes.Buffer
	require.NoError(b, stdjpeg.Encode(&file, picture(500, 375), &stdjpeg.Options{Quality: 90}))
	dst := make([]byte, 3*500*375)
	var d Decoder
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		require.NoError(b, d.Decode(file.Bytes(), 3, dst))
	}
}

// Reading a header allocates no new decoder, whose tables are large. Garbage collections empty the
// pool now and then.
func TestHeaderMemory(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, stdjpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8)), nil))
	const files = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range files {
		_, err := ReadHeader(file.Bytes())
		require.NoError(t, err)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, files*uint64(unsafe.Sizeof(Decoder{}))/2)
}
