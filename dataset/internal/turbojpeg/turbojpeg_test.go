package turbojpeg

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// library returns the machine's library, or skips the test if there is none. A library that exists
// but is rejected fails the test.
func library(t testing.TB) *Library {
	t.Helper()
	l, err := Open()
	if err != nil && (strings.HasPrefix(err.Error(), "no ") || os.Getenv(Variable) == off) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return l
}

func decoder(t testing.TB) *Decoder {
	t.Helper()
	return library(t).NewDecoder()
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".jpg"))
	require.NoError(t, err)
	return data
}

// accepted are the files of testdata that the library accepts.
var accepted = []string{"444", "422", "420", "420-progressive", "444-progressive", "420-restarts", "420-best", "420-worst", "grey", "grey-progressive", "rgb"}

// decoded is a piece of an image, with the pixels of the whole image.
type decoded struct {
	pix  []byte
	x, w int
}

func region(d *Decoder, data []byte, c int, r Region) (decoded, error) {
	h, err := ReadHeader(data)
	if err != nil {
		return decoded{}, err
	}
	var out decoded
	out.x, err = d.DecodeRegion(data, h, c, r, func(h, w int) []byte {
		out.pix, out.w = make([]byte, h*w*c), w
		return out.pix
	})
	return out, err
}

// all returns the region of the whole image at 1/shrink of its size.
func all(t testing.TB, data []byte, shrink int) Region {
	h, err := ReadHeader(data)
	require.NoError(t, err)
	return Region{H: (h.Height + shrink - 1) / shrink, W: (h.Width + shrink - 1) / shrink, Shrink: shrink}
}

// The pixels are Pillow's, at every size that libjpeg offers.
func TestDecodeMatchesPillow(t *testing.T) {
	text, err := os.ReadFile("testdata/sums.json")
	require.NoError(t, err)
	var sums map[string]map[string]uint32
	require.NoError(t, json.Unmarshal(text, &sums))
	d := decoder(t)
	for _, name := range accepted {
		data := file(t, name)
		for key, want := range sums[name] {
			c, shrink := int(key[0]-'0'), int(key[2]-'0')
			if c == 1 && !strings.HasPrefix(name, "grey") {
				_, err := region(d, data, c, all(t, data, shrink))
				require.ErrorContains(t, err, "colour space")
				continue
			}
			got, err := region(d, data, c, all(t, data, shrink))
			require.NoError(t, err, name)
			require.Equal(t, want, crc32.ChecksumIEEE(got.pix), "%s %s", name, key)
		}
		h, err := ReadHeader(data)
		require.NoError(t, err)
		dst := make([]byte, h.Width*h.Height*3)
		require.NoError(t, d.Decode(data, 3, dst))
		require.Equal(t, sums[name]["3/1"], crc32.ChecksumIEEE(dst))
	}
}

// A region has the same pixels as the whole image there, whatever surrounds it.
func TestRegions(t *testing.T) {
	d := decoder(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range accepted {
		data := file(t, name)
		for _, shrink := range []int{1, 2, 4, 8} {
			size := all(t, data, shrink)
			whole, err := region(d, data, 3, size)
			require.NoError(t, err)
			for range 60 {
				r := Region{Y: rng.IntN(size.H), X: rng.IntN(size.W), Shrink: shrink}
				r.H, r.W = 1+rng.IntN(size.H-r.Y), 1+rng.IntN(size.W-r.X)
				got, err := region(d, data, 3, r)
				require.NoError(t, err)
				for y := range r.H {
					require.Equal(t, whole.pix[((r.Y+y)*size.W+r.X)*3:][:r.W*3], got.pix[(y*got.w+r.X-got.x)*3:][:r.W*3], "%s: row %d of %+v", name, y, r)
				}
			}
		}
	}
	for _, r := range []Region{{}, {Y: -1, H: 1, W: 1}, {X: 90, H: 1, W: 4}, {H: 78, W: 1}, {H: 40, W: 1, Shrink: 2}} {
		_, err := region(d, file(t, "420"), 3, r)
		require.ErrorContains(t, err, "no region")
	}
}

// A damaged file is refused as a whole and in every region, or gives the same pixels.
func TestDamage(t *testing.T) {
	d := decoder(t)
	rng := rand.New(rand.NewPCG(3, 4))
	refused, decodedOnes, damaged := 0, 0, 0
	for i := range 1500 {
		name := accepted[i%len(accepted)]
		data := bytes.Clone(file(t, name))
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(data))
			switch rng.IntN(8) {
			case 0:
				data[at] = 0xff
			case 1:
				data = append(data[:at], data[min(at+1+rng.IntN(40), len(data)):]...)
			case 2:
				data = append(data[:at:at], append([]byte{0xff, byte(0xc0 + rng.IntN(64))}, data[at:]...)...)
			default:
				data[at] ^= 1 << rng.IntN(8)
			}
			if len(data) == 0 {
				break
			}
		}
		h, err := ReadHeader(data)
		if err != nil || h.Width*h.Height > 1<<16 {
			refused++
			continue
		}
		size := Region{H: h.Height, W: h.Width}
		whole, wholeErr := region(d, data, 3, size)
		for range 3 {
			r := Region{Y: rng.IntN(size.H), X: rng.IntN(size.W)}
			r.H, r.W = 1+rng.IntN(size.H-r.Y), 1+rng.IntN(size.W-r.X)
			got, err := region(d, data, 3, r)
			if wholeErr != nil {
				require.EqualError(t, err, wholeErr.Error(), "%d %s", i, name)
				damaged++
				continue
			}
			require.NoError(t, err, "%d %s", i, name)
			decodedOnes++
			for y := range r.H {
				require.Equal(t, whole.pix[((r.Y+y)*size.W+r.X)*3:][:r.W*3], got.pix[(y*got.w+r.X-got.x)*3:][:r.W*3], "%d %s: row %d of %+v", i, name, y, r)
			}
		}
	}
	require.NotZero(t, refused)
	require.NotZero(t, damaged)
	require.NotZero(t, decodedOnes)
	t.Log(refused, damaged, decodedOnes)
}

// without removes all segments of a kind from a file except the first but ones.
func without(data []byte, marker byte, but int) []byte {
	out := bytes.Clone(data[:2])
	for at := 2; at+4 <= len(data); {
		n := 2 + int(data[at+2])<<8 + int(data[at+3])
		if data[at+1] == mSOS {
			return append(out, data[at:]...)
		}
		if data[at+1] != marker || but > 0 {
			out = append(out, data[at:at+n]...)
			if data[at+1] == marker {
				but--
			}
		}
		at += n
	}
	return out
}

// A fatal error of the library is an error in Go, again and again, on many goroutines, and the
// decoder stays usable. The next image inherits nothing: this file lacks a table that the others
// have.
func TestFatalErrors(t *testing.T) {
	l := library(t)
	good := file(t, "420")
	bad := without(good, mDQT, 1)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			d := l.NewDecoder()
			want, err := region(d, good, 3, Region{H: 77, W: 93})
			if err != nil {
				t.Error(err)
			}
			for i := range 300 {
				if _, err := region(d, bad, 3, Region{H: 77, W: 93}); err == nil || !strings.Contains(err.Error(), "Quantization table 0x01 was not defined") {
					t.Errorf("error %v", err)
					return
				}
				if i%10 > 0 {
					continue
				}
				runtime.GC()
				if got, err := region(d, good, 3, Region{H: 77, W: 93}); err != nil || !bytes.Equal(got.pix, want.pix) {
					t.Errorf("other pixels after an error: %v", err)
				}
			}
		})
	}
	running.Wait()
}

func TestRefused(t *testing.T) {
	good := file(t, "420")
	sof := bytes.Index(good, []byte{0xff, mSOF0})
	change := func(at int, b byte) []byte {
		out := bytes.Clone(good)
		out[at] = b
		return out
	}
	progressive := file(t, "420-progressive")
	lastScan := bytes.LastIndex(progressive, []byte{0xff, mSOS})
	for name, c := range map[string]struct {
		data []byte
		text string
	}{
		"empty":              {nil, "not a JPEG"},
		"a PNG":              {[]byte("\x89PNG\r\n\x1a\n"), "not a JPEG"},
		"CMYK":               {file(t, "cmyk"), "4 components"},
		"12 bits":            {change(sof+4, 12), "samples of 12 bits"},
		"arithmetic":         {change(sof+1, 0xc9), "marker ff c9"},
		"lossless":           {change(sof+1, 0xc3), "marker ff c3"},
		"4:1:1":              {change(sof+11, 0x41), "component 1 is sampled 4×1"},
		"4:4:0":              {change(sof+11, 0x12), "component 1 is sampled 1×2"},
		"chroma 2×2":         {change(sof+14, 0x22), "component 2 is sampled 2×2"},
		"no rows":            {change(sof+6, 0), "93×0 pixels"},
		"cut":                {good[:len(good)/2], "it is cut"},
		"without its end":    {good[:len(good)-2], "it is cut"},
		"cut in a header":    {good[:30], "in "},
		"without frame":      {without(good, mSOF0, 0), "the header of scan 1 is damaged"},
		"no Huffman tables":  {without(good, mDHT, 0), "no tables"},
		"no quantization":    {without(good, mDQT, 0), "no tables"},
		"a scan less":        {append(bytes.Clone(progressive[:lastScan]), 0xff, mEOI), "is not there to its last bit"},
		"one component less": {bytes.Replace(good, []byte{0xff, mSOS, 0, 12, 3, 1}, []byte{0xff, mSOS, 0, 12, 3, 9}, 1), "a component 9"},
		"thousands of scans": {bytes.Replace(progressive, progressive[lastScan:len(progressive)-2], bytes.Repeat(progressive[lastScan:len(progressive)-2], 3000), 1), "more than 64 scans"},
	} {
		_, err := ReadHeader(c.data)
		require.ErrorContains(t, err, c.text, name)
	}
	for i := range good {
		_, err := ReadHeader(good[:i])
		require.Error(t, err, i)
	}
	h, err := ReadHeader(append(bytes.Clone(good), "what follows the end does not matter"...))
	require.NoError(t, err)
	require.Equal(t, Header{93, 77, 3}, h)
}

// Only the system's folders are searched, or the file that the variable names.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"libjpeg.so.62", "libjpeg.so.8", "libjpeg.8.dylib", "libjpeg.62.dylib"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("no library"), 0o755))
	}
	t.Chdir(dir)
	t.Setenv("TMPDIR", dir)
	t.Setenv("LD_LIBRARY_PATH", dir+":.:")
	l, err := Open()
	if err != nil {
		require.NotContains(t, err.Error(), dir)
	} else {
		require.NotContains(t, l.Path(), dir)
		require.True(t, filepath.IsAbs(l.Path()))
		t.Setenv(Variable, l.Path())
		again, err := Open()
		require.NoError(t, err)
		require.Equal(t, l.Path(), again.Path())
	}
	for value, text := range map[string]string{
		"off":                                Variable + " is off",
		"libjpeg.so.62":                      "it must be an absolute path",
		filepath.Join(dir, "libjpeg.so.62"):  "cannot be loaded",
		filepath.Join(dir, "libjpeg.so.999"): "cannot be loaded",
	} {
		t.Setenv(Variable, value)
		_, err := Open()
		require.ErrorContains(t, err, text)
	}
}
