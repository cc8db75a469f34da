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

// sumField comes before the sum's digits in a file's header. Within a text of a header its quotes would be escaped, so it is
// unique.
var sumField = []byte(`"` + metaSum + `":"`)

// noSum stands for the digits while the sum is computed.
var noSum = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// fileSum computes the SHA-256 sum of a safetensors file whose metadata have a place for it, with zeros in that place, and
// returns the sum's digits and where they belong.
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
