package draw

import (
	"slices"
	"strings"
	"unicode"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// fontFamily lists fonts for texts. They have the widths of Liberation Sans, which is used to
// measure.
const fontFamily = "Liberation Sans, Arial, Helvetica, sans-serif"

// text is a line of text, as it is drawn.
type text struct {
	words  string
	bold   bool
	size   float64
	colour string
	width  float64
	// exact makes a viewer draw the text with the computed width, because the measured font lacks
	// some of its letters.
	exact bool
}

// typesetter measures texts.
type typesetter struct {
	regular, bold *sfnt.Font
	buffer        sfnt.Buffer
}

func newTypesetter() (*typesetter, error) {
	regular, err := sfnt.Parse(liberationsansregular.TTF)
	if err != nil {
		return nil, err
	}
	bold, err := sfnt.Parse(liberationsansbold.TTF)
	return &typesetter{regular: regular, bold: bold}, err
}

// longest is the maximum width of a text, in ems of its size. A longer text loses its middle.
const longest = 30

// set measures a text, and shortens it in the middle if it is too long.
func (s *typesetter) set(words string, size float64, bold bool, colour string) (t text, shortened bool) {
	whole := []rune(printable(words))
	runes := elide(whole, 4*longest) // few letters are narrower than a quarter of an em, so the rest need not be measured
	for keep := len(runes) - 1; s.width(runes, bold, nil) > longest; keep-- {
		runes = elide(whole, keep)
	}
	t = text{words: string(runes), bold: bold, size: size, colour: colour}
	t.width = size * s.width(runes, bold, &t.exact)
	return t, len(runes) < len(whole)
}

// elide keeps keep letters of a text, from its beginning and its end.
func elide(whole []rune, keep int) []rune {
	if len(whole) <= keep {
		return whole
	}
	head := keep / 2
	return slices.Concat(whole[:head], []rune{'…'}, whole[len(whole)-(keep-1-head):])
}

// width returns the width of a text in ems. It sets missing if the font lacks a letter.
func (s *typesetter) width(runes []rune, bold bool, missing *bool) float64 {
	f := s.regular
	if bold {
		f = s.bold
	}
	sum := 0.0
	for _, r := range runes {
		glyph, err := f.GlyphIndex(&s.buffer, r)
		if err != nil || glyph == 0 {
			if missing != nil {
				*missing = true
			}
			if !unicode.Is(unicode.Mn, r) {
				sum++ // as wide as a letter of any script
			}
			continue
		}
		const em = 1024
		if w, err := f.GlyphAdvance(&s.buffer, glyph, fixed.I(em), font.HintingNone); err == nil {
			sum += float64(w) / 64 / em
		}
	}
	return sum
}

// printable replaces invisible characters, and characters that change the direction of a text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 || r == 0xfffe || r == 0xffff {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}
