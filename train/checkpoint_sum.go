package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
)

// sumField precedes the sum's digits in a file's header. Quotes within a text of the header are
// escaped, so sumField occurs only once.
var sumField = []byte(`"` + metaSum + `":"`)

// noSum replaces the digits while the sum is computed.
var noSum = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// fileSum computes the SHA-256 sum of a safetensors file whose metadata reserve a place for it,
// with zeros in that place. It returns the sum's digits and the place's offset in the file.
func fileSum(r io.ReaderAt, size int64) (digits string, at int64, err error) {
	var first [8]byte
	if _, err := r.ReadAt(first[:], 0); err != nil {
		return "", 0, err
	}
	n := binary.LittleEndian.Uint64(first[:])
	if size < 8 || n > uint64(size-8) {
		return "", 0, errors.New("the file ends within its header")
	}
	end := 8 + int64(n)
	head := make([]byte, end)
	if _, err := r.ReadAt(head, 0); err != nil {
		return "", 0, err
	}
	i := bytes.Index(head, sumField)
	if i < 0 || i+len(sumField)+len(noSum) > len(head) {
		return "", 0, errors.New("the header has no checksum")
	}
	i += len(sumField)
	copy(head[i:], noSum)
	sum := sha256.New()
	sum.Write(head)
	if _, err := io.Copy(sum, io.NewSectionReader(r, end, size-end)); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(sum.Sum(nil)), int64(i), nil
}
