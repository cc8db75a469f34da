package train

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends data as a TFRecord: its length, a checksum of the length, the data, and a
// checksum of the data, all little-endian.
func appendRecord(dst, data []byte) []byte {
	length := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(data)))
	dst = binary.LittleEndian.AppendUint32(dst, maskedSum(dst[length:]))
	dst = append(dst, data...)
	return binary.LittleEndian.AppendUint32(dst, maskedSum(data))
}

// maskedSum returns a CRC-32C rotated by 15 bits plus a constant, so that a sum over data that
// contains sums remains useful.
func maskedSum(data []byte) uint32 {
	sum := crc32.Checksum(data, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// readRecords splits a text into TFRecords. It stops at an incomplete record, which a crash may
// leave; TensorBoard does the same.
func readRecords(text []byte) ([][]byte, error) {
	var out [][]byte
	for len(text) >= 16 {
		if binary.LittleEndian.Uint32(text[8:]) != maskedSum(text[:8]) {
			return out, errors.New("the length of a record is damaged")
		}
		n := binary.LittleEndian.Uint64(text)
		if uint64(len(text))-16 < n {
			break
		}
		data := text[12 : 12+n]
		if binary.LittleEndian.Uint32(text[12+n:]) != maskedSum(data) {
			return out, errors.New("the data of a record are damaged")
		}
		out = append(out, data)
		text = text[16+n:]
	}
	return out, nil
}
