package dataset

import (
	"bytes"
	"compress/zlib"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// oriented has small images in base64 with the result of Pillow's ImageOps.exif_transpose.
// testdata/orientation.py writes it.
//
//go:embed testdata/orientation.txt
var oriented string

// Images are turned as Pillow turns them, from whichever part of the file has the orientation. By
// default only TIFF files are turned.
func TestOrientation(t *testing.T) {
	dir := t.TempDir()
	var upright Image
	for line := range strings.Lines(oriented) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		data, err := base64.StdEncoding.DecodeString(f[4])
		require.NoError(t, err)
		h, _ := strconv.Atoi(f[1])
		w, _ := strconv.Atoi(f[2])
		sum, err := strconv.ParseUint(f[3], 16, 32)
		require.NoError(t, err)
		path := filepath.Join(dir, f[0])
		require.NoError(t, os.WriteFile(path, data, 0o600))
		for _, turned := range []bool{false, true} {
			s, err := Files(context.Background(), []string{path}, OpenOptions{Orientation: turned})
			require.NoError(t, err)
			var m Image
			_, err = s.Decode(0, &m)
			require.NoError(t, err, f[0])
			if !turned && !isTIFF(data) {
				if upright.Pix == nil {
					upright = m
				}
				require.Equal(t, upright.Pix, m.Pix, f[0])
				continue
			}
			require.Equal(t, []int{h, w}, []int{m.H, m.W}, f[0])
			require.Equal(t, uint32(sum), crc32.ChecksumIEEE(m.Pix), f[0])
		}
	}
}

// A set's images are turned in training and testing, whether they are decoded or come from the
// cache.
func TestOrientationOfSets(t *testing.T) {
	var file []byte
	for line := range strings.Lines(oriented) {
		if f := strings.Fields(line); f[0] == "jpeg_6" {
			file, _ = base64.StdEncoding.DecodeString(f[4])
		}
	}
	files := map[string][]byte{}
	for _, name := range []string{"train/a/1", "train/b/1", "val/a/1", "val/b/1"} {
		files[name+".jpg"] = file
	}
	dir := tree(t, files)
	for _, channels := range []int{1, 3} {
		for _, cache := range []int64{0, 1 << 20} {
			for _, turned := range []bool{false, true} {
				set, err := Open(context.Background(), "folder:"+dir, OpenOptions{Channels: channels, Cache: cache, Orientation: turned})
				require.NoError(t, err)
				for range 2 {
					for _, s := range []Source{set.Train, set.Test} {
						var m Image
						_, err := s.Decode(1, &m)
						require.NoError(t, err)
						want := []int{16, 24, channels}
						if turned {
							want = []int{24, 16, channels}
						}
						require.Equal(t, want, []int{m.H, m.W, m.C})
					}
				}
				set.Close()
			}
		}
	}
}

// Metadata that repeat take little memory: texts of PNG files that unpack to a thousand times their
// size, EXIF in many segments.
func TestMetadataWithoutEnd(t *testing.T) {
	packed := map[string][]byte{}
	png := func(names ...string) []byte {
		file := []byte("\x89PNG\r\n\x1a\n")
		for _, name := range names {
			keyword, text, _ := strings.Cut(name, "=")
			if packed[text] == nil {
				var out bytes.Buffer
				z := zlib.NewWriter(&out)
				_, err := z.Write([]byte(text))
				require.NoError(t, err)
				require.NoError(t, z.Close())
				packed[text] = out.Bytes()
			}
			body := slices.Concat([]byte(keyword+"\x00\x00"), packed[text])
			file = binary.BigEndian.AppendUint32(file, uint32(len(body)))
			file = slices.Concat(file, []byte("zTXt"), body, make([]byte, 4))
		}
		return file
	}
	turned := rawXMP + `=<x tiff:Orientation="6"/>`
	long := "=" + strings.Repeat(" ", 1<<20)
	require.Equal(t, 6, orientation(png(turned)))
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	many := png(append(slices.Repeat([]string{"Comment" + long}, 100), turned)...)
	require.Less(t, allocated(func() { require.Equal(t, 6, orientation(many)) }), uint64(1<<20), "of texts that say nothing")
	require.Equal(t, 1, orientation(png(append(slices.Repeat([]string{rawEXIF + long}, 64), turned)...)))

	segment := append([]byte("\xff\xe1\xff\xffExif\x00\x00"), make([]byte, 65535-8)...)
	jpeg := slices.Concat([]byte("\xff\xd8"), slices.Repeat(segment, 100), []byte("\xff\xda\x00\x02"))
	require.Less(t, allocated(func() { orientation(jpeg) }), uint64(64<<20))
}

// Metadata are not trusted: cut and changed files give some orientation and do not panic.
func FuzzOrientation(f *testing.F) {
	for line := range strings.Lines(oriented) {
		if fields := strings.Fields(line); len(fields) == 5 && fields[0] != "#" {
			if data, err := base64.StdEncoding.DecodeString(fields[4]); err == nil {
				f.Add(data)
				f.Add(data[:len(data)/3])
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := orientation(data)
		require.True(t, o >= 1 && o <= 8, o)
	})
}
