// Picture draws a terminal's content as SVG. Standard input is what a command wrote to the
// terminal, and the argument is the line that started the command.
//
//	script -qec 'stty cols 100; COMMAND' /dev/null | go run ./tools/picture 'COMMAND' > picture.svg
package main

import (
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/rivo/uniseg"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil && len(os.Args) != 2 {
		err = fmt.Errorf("the argument is the command, as the picture is to show it")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
	fmt.Print(picture(os.Args[1], shown(string(text))))
}

// erase matches the sequences that remove a line. The text after them remains.
var erase = regexp.MustCompile("\x1b\\[[0-9]*[A-Z]")

// shown returns the lines that remain on a terminal. Of a line that was overwritten, the last text
// remains.
func shown(text string) []string {
	text = strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n")
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, erase.ReplaceAllString(line[strings.LastIndexByte(line, '\r')+1:], ""))
	}
	return lines
}

// The picture's measures in pixels.
const (
	column = 8.4 // width of a character 14 pixels high
	row    = 19
	margin = 16
)

// picture draws a command and its lines on a dark ground.
func picture(command string, lines []string) string {
	lines = append([]string{"$ " + command}, lines...)
	widest := 0
	for _, l := range lines {
		widest = max(widest, uniseg.StringWidth(l))
	}
	width, height := int(float64(widest)*column)+2*margin, len(lines)*row+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="#1e2329"/>`+"\n")
	fmt.Fprintf(&b, `<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#d5d9de">`+"\n")
	for i, l := range lines {
		text := strings.TrimLeft(l, " ")
		if text == "" {
			continue
		}
		// The text's length keeps columns aligned in any font.
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" textLength="%.1f" xml:space="preserve">%s</text>`+"\n",
			margin+float64(len(l)-len(text))*column, margin+(i+1)*row-5, float64(uniseg.StringWidth(text))*column, html.EscapeString(text))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}
