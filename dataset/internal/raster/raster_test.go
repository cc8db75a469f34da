package raster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Package dataset compares the pixels with Pillow's, for files of all kinds.

type codec struct {
	header func([]byte) (Header, error)
	decode func([]byte, *Canvas) error
}

var codecs = map[string]codec{
	"png":  {ReadPNGHeader, DecodePNG},
	"gif":  {ReadGIFHeader, DecodeGIF},
	"webp": {ReadWebPHeader, DecodeWebP},
	"bmp":  {ReadBMPHeader, DecodeBMP},
	"tiff": {ReadTIFFHeader, DecodeTIFF},
	"pnm":  {ReadPNMHeader, DecodePNM},
}

// images calls f with every image of the comparison with Pillow.
func images(t testing.TB, f func(name string, c codec, file []byte)) {
	for kind, c := range codecs {
		files, err := filepath.Glob("../../testdata/images/" + kind + "*")
		require.NoError(t, err)
		require.NotEmpty(t, files, kind)
		for _, name := range files {
			file, err := os.ReadFile(name)
			require.NoError(t, err)
			f(filepath.Base(name), c, file)
		}
	}
}

func canvas(h Header, c int) *Canvas {
	return &Canvas{make([]byte, h.Width*h.Height*c), h.Width, h.Height, c}
}

// Decoding needs no more memory than the header says.
func TestMemory(t *testing.T) {
	images(t, func(name string, c codec, file []byte) {
		h, err := c.header(file)
		require.NoError(t, err, name)
		dst := canvas(h, 3)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, c.decode(file, dst), name)
		runtime.ReadMemStats(&after)
		slack := int64(8 << 10)
		if strings.HasPrefix(name, "webp") || strings.HasPrefix(name, "tiff") { // tables for each strip or plane, which become garbage soon
			slack = 2 << 20
		}
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(h.Memory+slack), name)
	})
}

// A file cut off anywhere is an error, and its position lies in the file, unless only data after
// the pixels are missing.
func TestTruncated(t *testing.T) {
	images(t, func(name string, c codec, file []byte) {
		h, err := c.header(file)
		require.NoError(t, err)
		whole := canvas(h, 3)
		require.NoError(t, c.decode(file, whole))
		for n := 0; n < len(file); n += 1 + len(file)/60 {
			h, err := c.header(file[:n])
			if err == nil {
				dst := canvas(h, 3)
				if err = c.decode(file[:n], dst); err == nil && strings.HasPrefix(name, "pnm") && file[1] <= '3' {
					continue // the last number may have lost a digit
				}
				if err == nil {
					require.Equal(t, whole.Pix, dst.Pix, "%s up to byte %d", name, n)
					continue
				}
			}
			var e *Error
			require.True(t, errors.As(err, &e), "%s: %v", name, err)
			require.LessOrEqual(t, e.Position(), n, name)
			require.GreaterOrEqual(t, e.Position(), 0, name)
		}
	})
}

// Errors name what is not supported.
func TestErrors(t *testing.T) {
	tiff := func(tag, value byte, file string) []byte { // a file with the given tag and value
		return []byte(strings.NewReplacer("T", string(rune(tag)), "V", string(rune(value))).Replace(file))
	}
	const tags = "II*\x00\x08\x00\x00\x00\x04\x00" +
		"\x00\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00" + "\x01\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00" +
		"T\x01\x03\x00\x01\x00\x00\x00V\x00\x00\x00" + "\x11\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00"
	bmp := func(bits, compression byte) []byte {
		return append(append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00"), bits, 0, compression), make([]byte, 40)...)
	}
	for _, c := range []struct {
		kind, text string
		file       []byte
	}{
		{"tiff", "colours of the kind 6 are not read", tiff(6, 6, tags)},
		{"tiff", "the compression 7 is not read", tiff(3, 7, tags)},
		{"tiff", "1 samples of 32 bits", tiff(2, 32, tags)},
		{"tiff", "its tags say 1×0 pixels", tiff(6, 1, strings.Replace(tags, "\x01\x01\x03\x00\x01\x00\x00\x00\x01", "\x01\x01\x03\x00\x01\x00\x00\x00\x00", 1))},
		{"bmp", "2 bits a pixel in compression 0 are not read", bmp(2, 0)},
		{"bmp", "24 bits a pixel in compression 4 are not read", bmp(24, 4)},
		{"bmp", "are not read", bmp(16, 3)},
		{"bmp", "3 bits a pixel", []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x1a\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x01\x00\x01\x00\x03\x00")}, // of OS/2
		{"pnm", "is none of P1 to P6", []byte("P7\n1 1\n")},
		{"pnm", "a largest value of 0", []byte("P5\n1 1\n0\n\x00")},
		{"pnm", "'x' where a number should be", []byte("P2\n1 x\n")},
		{"pnm", "a value of 9: the largest is 8", []byte("P2\n1 1\n8\n9\n")},
		{"gif", "no image in the file", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;")},
		{"gif", "code 6 before its time", []byte("GIF89a\x02\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02\x01\x06\x00")},
		{"webp", "no image in the file", []byte("RIFF\x0e\x00\x00\x00WEBPVP8X\x00\x00\x00\x00\x00\x00")},
		{"png", "ends without image data", []byte(pngMagic + "\x00\x00\x00\x00IEND\xaeB`\x82")},
		{"png", `a chunk named "ID?T"`, []byte(pngMagic + "\x00\x00\x00\x00ID?T")},
	} {
		h, err := codecs[c.kind].header(c.file)
		if err == nil {
			err = codecs[c.kind].decode(c.file, canvas(h, 3))
		}
		require.ErrorContains(t, err, c.text)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.LessOrEqual(t, e.Position(), len(c.file), c.text)
	}
}

// tiffOf returns a TIFF of grey pixels of eight bits. It has the tags in their order, with values
// of four bytes, which follow the tags if a tag has several, and then data.
func tiffOf(data []byte, tags ...[]uint32) []byte {
	const entry = 12
	out := []byte("II*\x00\x08\x00\x00\x00")
	out = binary.LittleEndian.AppendUint16(out, uint16(len(tags)))
	var values []byte
	behind := len(out) + entry*len(tags)
	for _, tag := range tags {
		out = binary.LittleEndian.AppendUint16(out, uint16(tag[0]))
		out = binary.LittleEndian.AppendUint16(out, 4)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(tag)-1))
		if len(tag) == 2 {
			out = binary.LittleEndian.AppendUint32(out, tag[1])
			continue
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(behind+len(values)))
		for _, v := range tag[1:] {
			values = binary.LittleEndian.AppendUint32(values, v)
		}
	}
	return slices.Concat(out, values, data)
}

// many returns a tag with n equal values.
func many(tag, n int, value uint32) []uint32 {
	return append([]uint32{uint32(tag)}, slices.Repeat([]uint32{value}, n)...)
}

// Small files whose parts share the same bytes again and again do not take long.
func TestPartsThatShareBytes(t *testing.T) {
	const chunks = 1 << 14
	head := func(w, h, compression uint32) [][]uint32 {
		return [][]uint32{{tagWidth, w}, {tagHeight, h}, {tagBits, 8}, {tagCompression, compression}, {tagPhotometric, tiffBlackIsZero}}
	}
	ones := slices.Repeat([]byte{0x81, 0xff}, 1<<13) // 2^20 pixels of PackBits
	padded := tiffOf(ones, slices.Concat(head(1, 16*chunks, tiffPackBits), [][]uint32{
		{tagTileWidth, 1 << 16}, {tagTileHeight, 16}, many(tagTiles, chunks, 8), many(tagTileBytes, chunks, 1<<14)})...)
	_, err := ReadTIFFHeader(padded)
	require.ErrorContains(t, err, "far too large for an image of 1×262144")

	nothing := slices.Repeat([]byte{0x80}, 1<<20) // empty runs of PackBits
	shared := tiffOf(nothing, slices.Concat(head(1, chunks, tiffPackBits), [][]uint32{
		many(tagStrips, chunks, 8), {tagStripRows, 1}, many(tagStripBytes, chunks, 1<<20)})...)
	_, err = ReadTIFFHeader(shared)
	require.ErrorContains(t, err, "strips or tiles of 17179869184 bytes in a file of")

	// Padding of the size of one strip is accepted.
	_, err = ReadTIFFHeader(tiffOf(ones, slices.Concat(head(10, 10, tiffPackBits), [][]uint32{
		{tagTileWidth, 1 << 13}, {tagTileHeight, 1 << 13}, {tagTiles, 8}, {tagTileBytes, 1 << 14}})...))
	require.NoError(t, err)

	// Tags of the maximum length that all share the same bytes need no memory.
	var tags [][]uint32
	for tag := tagOrientation; tag <= tagFormat; tag++ {
		tags = append(tags, []uint32{uint32(tag), 0})
	}
	long := tiffOf(make([]byte, 1<<20), append(head(1, 1, tiffRaw), tags...)...)
	for i := 5; i < 5+len(tags); i++ {
		entry := long[10+12*i:]
		if tag := binary.LittleEndian.Uint16(entry); tag != tagSamples {
			binary.LittleEndian.PutUint16(entry[2:], 1)
			binary.LittleEndian.PutUint32(entry[4:], 1<<20)
		} else {
			entry[8] = 1
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = ReadTIFFHeader(long)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
}

// Frames within frames are skipped, however many there are.
func TestWebPFramesWithinFrames(t *testing.T) {
	file, err := os.ReadFile("../../testdata/images/webp01")
	require.NoError(t, err)
	image := file[12:]
	frame := func(content []byte) []byte {
		return slices.Concat([]byte("ANMF"), binary.LittleEndian.AppendUint32(nil, uint32(16+len(content))), make([]byte, 16), content)
	}
	riff := func(content []byte) []byte {
		return slices.Concat([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(4+len(content))), []byte("WEBP"), content)
	}
	_, err = ReadWebPHeader(riff(frame(image)))
	require.NoError(t, err)
	_, err = ReadWebPHeader(riff(frame(frame(image))))
	require.ErrorContains(t, err, "no image in the file")
}

func FuzzDecode(f *testing.F) {
	images(f, func(_ string, _ codec, file []byte) { f.Add(file) })
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, c := range codecs {
			h, err := c.header(file)
			if err != nil || h.Width > 1<<10 || h.Height > 1<<10 || h.Memory > 1<<24 {
				continue
			}
			require.Positive(t, h.Width)
			require.Positive(t, h.Height)
			rgb, grey := canvas(h, 3), canvas(h, 1)
			a, b := c.decode(file, rgb), c.decode(file, grey)
			require.Equal(t, a == nil, b == nil)
			require.False(t, a == nil && bytes.Equal(rgb.Pix, nil))
		}
	})
}
