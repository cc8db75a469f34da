package train

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxConfig is the maximum size of a configuration file in bytes.
const MaxConfig = 1 << 20

// binaryTag marks a text that is not UTF-8 and is written in base64.
const binaryTag = "!!binary"

// ReadYAML sets the settings that a configuration file has, and leaves the others alone. file is
// its name in errors. Errors name the file, the line, and for an unknown key the nearest ones.
// Values are not checked; see Check.
func (c *Config) ReadYAML(file string, text []byte) error {
	return c.ReadYAMLWith(file, text, "", nil)
}

// ReadYAMLWith is ReadYAML for a file that may have more settings, under the key section.
func (c *Config) ReadYAMLWith(file string, text []byte, section string, more []Setting) error {
	if len(text) > MaxConfig {
		return fmt.Errorf("%s: %d bytes are too many for a configuration", file, len(text))
	}
	var doc, second yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	err := documents.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil // empty file
	}
	if err == nil {
		if err = documents.Decode(&second); err == nil {
			return fmt.Errorf("%s: line %d: a second document begins: a configuration is one, without --- between its lines", file, second.Line)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return readSettings(file, doc.Content[0], c.Settings(), section, more)
}

// readSettings sets the settings of a mapping, and those of its section.
func readSettings(file string, root *yaml.Node, list []Setting, section string, more []Setting) error {
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: line %d: a configuration is a list of lines \"key: value\"", file, root.Line)
	}
	settings := map[string]Setting{}
	var keys []string
	for _, s := range list {
		settings[s.Key] = s
		keys = append(keys, s.Key)
	}
	if more != nil {
		keys = append(keys, section)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		s, ok := settings[key.Value]
		inner := more != nil && key.Value == section
		switch first := seen[key.Value]; {
		case !ok && !inner:
			return fmt.Errorf("%s: line %d: %w", file, key.Line, unknown("key", key.Value, keys))
		case first > 0:
			return fmt.Errorf("%s: line %d: key %q has a value already in line %d", file, key.Line, key.Value, first)
		case value.Kind == yaml.AliasNode:
			return fmt.Errorf("%s: line %d: %s is the alias *%s: write its value", file, value.Line, key.Value, value.Value)
		case !inner && value.Kind != yaml.ScalarNode && !(s.list && value.Kind == yaml.SequenceNode):
			return fmt.Errorf("%s: line %d: %s takes one value, not a list", file, value.Line, key.Value)
		}
		seen[key.Value] = key.Line
		if inner {
			if err := readSettings(file, value, more, "", nil); err != nil {
				return err
			}
			continue
		}
		text := value.Value
		if value.Tag == "!!null" {
			text = ""
		}
		if value.Tag == binaryTag {
			plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
			if err != nil {
				return fmt.Errorf("%s: line %d: %s: %w", file, value.Line, key.Value, err)
			}
			text = string(plain)
		}
		if value.Kind == yaml.SequenceNode { // an item that is itself a list has an empty value, which no setting accepts
			var items []string
			for _, item := range value.Content {
				items = append(items, item.Value)
			}
			text = strings.Join(items, ",")
		}
		if err := s.Set(text); err != nil {
			return fmt.Errorf("%s: line %d: %w", file, value.Line, err)
		}
	}
	return nil
}

// YAML returns all settings as a configuration file, each under its group.
func (c *Config) YAML() []byte {
	var b strings.Builder
	group := ""
	for _, s := range c.Settings() {
		if s.Group != group {
			if group != "" {
				b.WriteByte('\n')
			}
			group = s.Group
			fmt.Fprintf(&b, "# %s\n", group)
		}
		fmt.Fprintf(&b, "%s: %s\n", s.Key, scalar(s))
	}
	return []byte(b.String())
}

// YAMLWith is YAML with more settings under the key section, in the form that ReadYAMLWith reads.
func (c *Config) YAMLWith(section string, more []Setting) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n# %s\n%s:\n", c.YAML(), more[0].Group, section)
	for _, s := range more {
		fmt.Fprintf(&b, "  %s: %s\n", s.Key, scalar(s))
	}
	return []byte(b.String())
}

// scalar returns a value in a form that YAML reads back unchanged.
func scalar(s Setting) string {
	text, ok := s.Value.(*string)
	if !ok {
		return s.String()
	}
	if !utf8.ValidString(*text) { // a path may be any bytes
		return binaryTag + " " + base64.StdEncoding.EncodeToString([]byte(*text))
	}
	out, err := yaml.Marshal(*text)
	if line := strings.TrimSuffix(string(out), "\n"); err == nil && !strings.Contains(line, "\n") {
		return line
	}
	return fmt.Sprintf("%q", *text)
}
