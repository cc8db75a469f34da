package train

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes are those that TensorBoard's own writer makes of these data.
func TestRecord(t *testing.T) {
	data, err := hex.DecodeString("09000000000000f83f1a0d627261696e2e4576656e743a32")
	require.NoError(t, err)
	text := appendRecord(nil, data)
	require.Equal(t, "1800000000000000a37f4b22"+hex.EncodeToString(data)+"2a28646c", hex.EncodeToString(text))
	text = appendRecord(text, nil)
	records, err := readRecords(text)
	require.NoError(t, err)
	require.Equal(t, [][]byte{data, {}}, records)
	for i := range text {
		text[i] ^= 1 << (i % 8)
		_, err = readRecords(text)
		require.Error(t, err, "byte %d is another one", i)
		text[i] ^= 1 << (i % 8)
	}
	for n := range text {
		records, err = readRecords(text[:n])
		require.NoError(t, err)
		require.LessOrEqual(t, len(records), 1, "the first %d bytes", n)
	}
}
