package raster

import (
	"io"
	"math"
)

// errShort is the cause in errors about files that lack pixels.
var errShort = io.ErrUnexpectedEOF

// pnmFile is a PBM, PGM or PPM up to its pixels.
type pnmFile struct {
	data     []byte
	w, h     int
	plain    bool // numbers are text
	bitmap   bool
	channels int
	most     int // the largest value
	at       int // of the pixels
}

// ReadPNMHeader reads a PBM, PGM or PPM up to its pixels.
func ReadPNMHeader(data []byte) (Header, error) {
	p, err := readPNM(data)
	if err != nil {
		return Header{}, err
	}
	return Header{p.w, p.h, 7 * int64(p.w)}, nil
}

// DecodePNM decodes a PBM, PGM or PPM (P1 to P6) of 8 or 16 bits. Grey of more than 8 bits is
// scaled to 16 bits and clipped at 255, as in Pillow. Colours are scaled to 8 bits.
func DecodePNM(data []byte, dst *Canvas) error {
	p, err := readPNM(data)
	if err != nil {
		return err
	}
	return p.decode(dst)
}

func space(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func readPNM(data []byte) (*pnmFile, error) {
	p := &pnmFile{data: data, at: 2, channels: 1, most: 1}
	if len(data) < 3 {
		return nil, truncated(len(data))
	}
	kind := data[1] - '0'
	if data[0] != 'P' || kind < 1 || kind > 6 || !space(data[2]) {
		return nil, fail(0, "is none of P1 to P6")
	}
	p.at++
	p.plain, p.bitmap = kind <= 3, kind%3 == 1
	if kind%3 == 0 {
		p.channels = 3
	}
	numbers := []*int{&p.w, &p.h, &p.most}
	if p.bitmap {
		numbers = numbers[:2]
	}
	for _, n := range numbers {
		var err error
		if *n, err = p.number(); err != nil {
			return nil, err
		}
	}
	switch {
	case p.w == 0 || p.h == 0:
		return nil, fail(p.at, "its header says %d×%d pixels", p.w, p.h)
	case p.most < 1 || p.most > 0xffff:
		return nil, fail(p.at, "a largest value of %d", p.most)
	}
	return p, nil
}

// number reads a number of the header, skipping comments, and the space after it.
func (p *pnmFile) number() (n int, err error) {
	digits := 0
	for ; p.at < len(p.data); p.at++ {
		c := p.data[p.at]
		switch {
		case c == '#':
			for p.at < len(p.data) && p.data[p.at] != '\n' && p.data[p.at] != '\r' {
				p.at++
			}
		case space(c) && digits > 0:
			p.at++
			return n, nil
		case space(c):
		case c < '0' || c > '9' || digits == 10:
			return 0, fail(p.at, "a header with %q where a number should be", c)
		default:
			n = 10*n + int(c-'0')
			digits++
		}
	}
	if digits == 0 {
		return 0, truncated(len(p.data))
	}
	return n, nil
}

func (p *pnmFile) decode(dst *Canvas) error {
	table := p.table()
	values := make([]byte, p.w*p.channels)
	rgb := values
	if p.channels == 1 {
		rgb = make([]byte, 3*p.w)
	}
	for y := range p.h {
		var err error
		switch {
		case p.plain:
			err = p.plainRow(values, table)
		default:
			err = p.row(values, table)
		}
		if err != nil {
			return err
		}
		if p.channels == 1 {
			grey(rgb, values)
		}
		dst.fill(y, 0, 1, rgb)
	}
	return nil
}

// table returns the byte for each value.
func (p *pnmFile) table() []byte {
	t := make([]byte, p.most+1)
	scale := 255.0
	if p.channels == 1 && p.most > 255 {
		scale = 65535
	}
	for v := range t {
		t[v] = uint8(min(math.RoundToEven(float64(v)/float64(p.most)*scale), 255))
	}
	if p.bitmap {
		t[0], t[1] = 255, 0
	}
	return t
}

// row reads a row of values.
func (p *pnmFile) row(values, table []byte) error {
	n := len(values)
	switch {
	case p.bitmap:
		n = (n + 7) / 8
	case p.most > 255:
		n *= 2
	}
	if p.at+n > len(p.data) {
		return truncated(len(p.data))
	}
	s := p.data[p.at : p.at+n]
	p.at += n
	switch {
	case p.bitmap:
		unpack(values, s, len(values), 1)
		for i, v := range values {
			values[i] = table[v]
		}
	case p.most > 255:
		for i := range values {
			values[i] = table[min(int(s[2*i])<<8|int(s[2*i+1]), p.most)]
		}
	case p.most == 255:
		copy(values, s)
	default:
		for i, v := range s {
			values[i] = table[min(int(v), p.most)]
		}
	}
	return nil
}

// plainRow reads a row of values in text. The digits of a bitmap need no space between them.
func (p *pnmFile) plainRow(values, table []byte) error {
	for i := range values {
		v, digits := 0, 0
	number:
		for p.at < len(p.data) {
			c := p.data[p.at]
			switch {
			case c == '#': // up to the end of the line; a comment does not separate numbers
				for p.at < len(p.data) && p.data[p.at] != '\n' && p.data[p.at] != '\r' {
					p.at++
				}
			case space(c):
				if digits > 0 {
					break number
				}
			case c < '0' || c > '9' || digits == 10:
				return fail(p.at, "%q where a number should be", c)
			default:
				v = 10*v + int(c-'0')
				digits++
			}
			p.at++
			if p.bitmap && digits > 0 {
				break
			}
		}
		if digits == 0 {
			return truncated(len(p.data))
		}
		if v > p.most {
			return fail(p.at, "a value of %d: the largest is %d", v, p.most)
		}
		values[i] = table[v]
	}
	return nil
}
