package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tributary-ml/tributary/draw"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// checkDrawing checks the name of a drawing's file.
func checkDrawing(flag, path string) error {
	if end := filepath.Ext(path); end != "" && !strings.EqualFold(end, ".svg") {
		return usageError{fmt.Errorf("--%s %s: drawings are SVG: name a file that ends in .svg", flag, quoted(path))}
	}
	return nil
}

// writeDrawing writes a drawing as SVG.
func writeDrawing(path string, d *draw.Network) error {
	text, err := d.SVG()
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, text)
}

// drawModel returns the drawing of a network, with the kinds of its heads.
func drawModel(m *inception.Model) *draw.Network {
	labels := map[string]string{}
	for _, h := range m.Heads {
		labels[h.Name] = fmt.Sprintf("%s: %s, weight %v", h.Name, h.Kind, h.Weight)
	}
	return draw.Graph(m.Graph, fmt.Sprintf("%s, %s, %d classes", m.Network.Name, m.Graph.InputNode().Shape(), m.Config.Classes), labels)
}
