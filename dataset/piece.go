package dataset

// need says which part of an image its user needs, and at which size.
type need struct {
	box    box // in pixels of the image at 1/shrink of its size
	shrink int // 1, or 2, 4 or 8 if the image may be decoded that many times smaller

	// shrinks says that this image may be decoded smaller another time. Then a cache does not keep
	// it at its own size.
	shrinks bool
}

// piece says which part of the decoded image an [Image] holds: the pixels from column x and row y
// on, at 1/shrink of the size.
type piece struct {
	y, x   int
	h, w   int // size of the whole image without shrinking
	shrink int
}

// pieceSource is a source that can leave out the parts of an image that are not needed. The pixels
// of a part are those of the whole image.
type pieceSource interface {
	Source

	// decodePiece is Decode, except that it calls ask once it knows the image's size. It may decode
	// more than is needed, but not smaller.
	decodePiece(i int, ask func(h, w int) need, dst *Image) (label int32, p piece, err error)
}

// everything returns the need for a whole image.
func everything(h, w int) need { return need{box: box{h: h, w: w}, shrink: 1} }

// all returns the piece for a whole image.
func all(m *Image) piece { return piece{h: m.H, w: m.W, shrink: 1} }

// decodePiece decodes the needed part of an image of any source.
func decodePiece(src Source, i int, ask func(h, w int) need, dst *Image) (int32, piece, error) {
	if s, ok := src.(pieceSource); ok {
		return s.decodePiece(i, ask, dst)
	}
	label, err := src.Decode(i, dst)
	return label, all(dst), err
}
