package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"io"
	"regexp"
	"slices"
	"strings"
)

// orientationTag is the EXIF tag that says how to turn an image.
const orientationTag = 274

// Limits on the unpacked size of one compressed text of a PNG file, and of all of them. A file may
// have thousands of texts, each of which unpacks to a thousand times its size.
const (
	maxProfile  = 1 << 20
	maxProfiles = 64 << 20
)

// orientation returns how an encoded image is to be turned: 1 to 8 as in EXIF's tag, and 1 if the
// file has no orientation. As Pillow does, it reads EXIF in JPEG, PNG and WebP, and otherwise XMP.
func orientation(data []byte) int {
	exif, xmp := metadataOf(data)
	if o, ok := tiffValue(bytes.TrimPrefix(bytes.TrimPrefix(exif, exifMagic), exifMagic)); ok {
		return o
	}
	if m := xmpOrientation.FindSubmatch(xmp); m != nil {
		if o := int(m[1][0] - '0'); o >= 1 && o <= 8 {
			return o
		}
	}
	return 1
}

var (
	exifMagic      = []byte("Exif\x00\x00")
	xmpMagic       = []byte("http://ns.adobe.com/xap/1.0/\x00")
	xmpOrientation = regexp.MustCompile(`tiff:Orientation(?:="|>)([0-9])`)
)

// isTIFF reports whether data begins as a TIFF file, or as the TIFF structure in EXIF does. Pillow
// always turns TIFF files.
func isTIFF(data []byte) bool {
	return bytes.HasPrefix(data, []byte("II*\x00")) || bytes.HasPrefix(data, []byte("MM\x00*"))
}

// metadataOf finds an image's EXIF and its XMP. The EXIF is a TIFF structure, possibly after
// exifMagic.
func metadataOf(data []byte) (exif, xmp []byte) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8")):
		return jpegMetadata(data)
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return pngMetadata(data[8:])
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return webpMetadata(data[12:])
	}
	return nil, nil
}

// jpegMetadata reads the segments before the first scan. EXIF may be split over several.
func jpegMetadata(data []byte) (exif, xmp []byte) {
	const app1, startOfScan, endOfImage = 0xe1, 0xda, 0xd9
	for at := 2; at+4 <= len(data); {
		marker := data[at+1]
		switch {
		case data[at] != 0xff: // bytes between segments
			at++
			continue
		case marker == 0xff: // padding
			at++
			continue
		case marker == 0 || marker == 1 || marker >= 0xd0 && marker <= 0xd8: // markers without a segment
			at += 2
			continue
		case marker == startOfScan || marker == endOfImage:
			return exif, xmp
		}
		end := at + 2 + int(binary.BigEndian.Uint16(data[at+2:]))
		if end < at+4 || end > len(data) {
			return exif, xmp
		}
		segment := data[at+4 : end]
		switch {
		case marker == app1 && bytes.HasPrefix(segment, exifMagic) && exif == nil:
			exif = slices.Clip(segment)
		case marker == app1 && bytes.HasPrefix(segment, exifMagic):
			exif = append(exif, segment[len(exifMagic):]...)
		case marker == app1 && bytes.HasPrefix(segment, xmpMagic):
			xmp = segment[len(xmpMagic):]
		}
		at = end
	}
	return exif, xmp
}

// pngMetadata reads the chunks eXIf, and texts that hold XMP, or EXIF in hexadecimal digits, as
// ImageMagick writes it.
func pngMetadata(data []byte) (exif, xmp []byte) {
	var raw []byte
	left := int64(maxProfiles)
	for len(data) >= 12 {
		n := binary.BigEndian.Uint32(data)
		if uint64(n)+12 > uint64(len(data)) {
			break
		}
		kind, body := string(data[4:8]), data[8:8+n]
		data = data[12+n:]
		if kind == "eXIf" {
			exif = body
			continue
		}
		keyword, text, ok := bytes.Cut(body, []byte{0})
		if !ok || string(keyword) != rawEXIF && string(keyword) != rawXMP {
			continue
		}
		switch kind {
		case "tEXt":
		case "zTXt":
			if len(text) < 1 || text[0] != 0 {
				continue
			}
			text = inflate(text[1:], &left)
		case "iTXt": // compression flag and method, then language and translated keyword, each ended by a zero
			if len(text) < 2 {
				continue
			}
			packed := text[0] != 0
			_, text, _ = bytes.Cut(text[2:], []byte{0})
			_, text, _ = bytes.Cut(text, []byte{0})
			if packed {
				text = inflate(text, &left)
			}
		default:
			continue
		}
		if string(keyword) == rawEXIF {
			raw = text
		} else {
			xmp = text
		}
	}
	if exif == nil {
		exif = rawProfile(raw)
	}
	return exif, xmp
}

// The keywords of the texts that are read.
const rawEXIF, rawXMP = "Raw profile type exif", "XML:com.adobe.xmp"

// inflate unpacks a text, up to the limits, and subtracts its size from left.
func inflate(packed []byte, left *int64) []byte {
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(r, min(maxProfile, *left)))
	*left -= int64(len(text))
	return text
}

// rawProfile decodes a profile in ImageMagick's form: an empty line, a name, a length, and lines of
// digits.
func rawProfile(text []byte) []byte {
	lines := strings.SplitN(string(text), "\n", 4)
	if len(lines) < 4 {
		return nil
	}
	out, err := hex.DecodeString(strings.Join(strings.Fields(lines[3]), ""))
	if err != nil {
		return nil
	}
	return out
}

// webpMetadata reads the chunks EXIF and XMP.
func webpMetadata(data []byte) (exif, xmp []byte) {
	for len(data) >= 8 {
		n := uint64(binary.LittleEndian.Uint32(data[4:]))
		if n > uint64(len(data)-8) {
			break
		}
		switch body := data[8 : 8+n]; string(data[:4]) {
		case "EXIF":
			exif = body
		case "XMP ":
			xmp = body
		}
		data = data[min(8+n+n%2, uint64(len(data))):]
	}
	return exif, xmp
}

// tiffValue returns the orientation in a TIFF structure's first directory: 1 if its value is not an
// orientation. It returns false if there is no orientation.
func tiffValue(data []byte) (int, bool) {
	order, entry := tiffEntry(data, orientationTag)
	if entry == nil {
		return 0, false
	}
	v, one := uint32(0), order.Uint32(entry[4:]) == 1
	switch kind := order.Uint16(entry[2:]); {
	case one && kind == 3:
		v = uint32(order.Uint16(entry[8:]))
	case one && kind == 4:
		v = order.Uint32(entry[8:])
	}
	if v < 1 || v > 8 {
		v = 1
	}
	return int(v), true
}

// tiffEntry finds the twelve bytes of a tag in the first directory of a TIFF structure.
func tiffEntry(data []byte, tag uint16) (binary.ByteOrder, []byte) {
	var order binary.ByteOrder = binary.BigEndian
	if len(data) < 8 || !isTIFF(data) {
		return order, nil
	}
	if data[0] == 'I' {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(data[4:]))
	if at+2 > uint64(len(data)) {
		return order, nil
	}
	n := order.Uint16(data[at:])
	for entries := data[at+2:]; n > 0 && len(entries) >= 12; n, entries = n-1, entries[12:] {
		if order.Uint16(entries) == tag {
			return order, entries[:12]
		}
	}
	return order, nil
}

// turn turns m by an orientation: mirrored (2), by 180° (3), upside down (4), transposed (5),
// clockwise (6), transposed along the other diagonal (7), counterclockwise (8).
func turn(m *Image, orientation int) {
	if orientation < 2 || orientation > 8 {
		return
	}
	h, w, c := m.H, m.W, m.C
	at, down, across := 0, w*c, c // offset of the turned image's first pixel, and distances between its rows and its columns
	if orientation >= 5 {
		h, w, down, across = w, h, across, down
	}
	switch orientation {
	case 2, 3, 7, 6: // the turned image's columns are reversed
		at, across = at+(w-1)*across, -across
	}
	switch orientation {
	case 3, 4, 7, 8: // its rows are reversed
		at, down = at+(h-1)*down, -down
	}
	pix := make([]byte, 0, len(m.Pix))
	for y := range h {
		from := at + y*down
		for range w {
			pix = append(pix, m.Pix[from:from+c]...)
			from += across
		}
	}
	m.Pix, m.H, m.W = pix, h, w
}
