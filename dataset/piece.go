package dataset

// need is what of an image somebody needs.
type need struct {
	box    box // in pixels of the image at 1/shrink of its size
	shrink int // 1, or 2, 4 or 8 where the image may be decoded that many times smaller

	// shrinks says that this image may be decoded smaller another time: then nobody
	// keeps it at its own size.
	shrinks bool
}

// piece is what an [Image] shows of the image that it was decoded from: the
// pixels from column x and row y on, at 1/shrink of the size.
type piece struct {
	y, x   int
	h, w   int // of the whole image at its own size
	shrink int
}

// pieceSource is a source that leaves out what nobody needs of an image. What it
// decodes has the values of the whole image.
type pieceSource interface {
	Source

	// decodePiece is Decode that asks what is needed once it knows the image's size.
	// It may decode more than that, and not smaller.
	decodePiece(i int, ask func(h, w int) need, dst *Image) (label int32, p piece, err error)
}

// everything is the need of somebody who needs all.
func everything(h, w int) need { return need{box: box{h: h, w: w}, shrink: 1} }

// all says that m is a whole image.
func all(m *Image) piece { return piece{h: m.H, w: m.W, shrink: 1} }

// decodePiece decodes what is needed of an image of any source.
func decodePiece(src Source, i int, ask func(h, w int) need, dst *Image) (int32, piece, error) {
	if s, ok := src.(pieceSource); ok {
		return s.decodePiece(i, ask, dst)
	}
	label, err := src.Decode(i, dst)
	return label, all(dst), err
}
