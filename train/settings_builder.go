package train

import "fmt"

// settingsBuilder builds the list of settings, one line for each.
type settingsBuilder struct {
	group string
	local bool
	list  []Setting
}

func (b *settingsBuilder) add(s Setting) {
	s.Group, s.Local = b.group, b.local
	b.list = append(b.list, s)
}

// text adds a string that must not be empty.
func (b *settingsBuilder) text(key string, v *string, usage string) {
	b.add(Setting{Key: key, Value: v, Usage: usage, allowed: "a name", ok: func() bool { return *v != "" }})
}

// name adds a string that is one of several names.
func (b *settingsBuilder) name(key string, v *string, names []string, usage string) {
	b.add(Setting{Key: key, Value: v, Usage: usage + ": " + joinOr(names), Names: names})
}

// parsed adds a string in a small language of its own.
func (b *settingsBuilder) parsed(key string, v *string, forms []string, usage string, parse func(string) error) {
	b.add(Setting{Key: key, Value: v, Usage: usage, Forms: forms, parse: parse})
}

// floats adds a string of numbers separated by commas.
func (b *settingsBuilder) floats(key string, v *string, usage string, parse func(string) error) {
	b.add(Setting{Key: key, Value: v, Usage: usage, Forms: []string{auto}, list: true, parse: parse})
}

// whole adds an integer from from to to.
func (b *settingsBuilder) whole(key string, v *int, from, to int, usage string) {
	b.number(key, v, fmt.Sprintf("a whole number from %d to %d", from, to), func() bool { return *v >= from && *v <= to }, usage)
}

func (b *settingsBuilder) number(key string, v *int, allowed string, ok func() bool, usage string) {
	b.add(Setting{Key: key, Value: v, Usage: usage, allowed: allowed, ok: ok})
}

func (b *settingsBuilder) real(key string, v *float64, allowed string, ok func() bool, usage string) {
	b.add(Setting{Key: key, Value: v, Usage: usage, allowed: allowed, ok: ok})
}

// open adds a number that may be left open for the optimizer's rule.
func (b *settingsBuilder) open(key string, v *Number, allowed string, ok func(float64) bool, usage string) {
	b.add(Setting{Key: key, Value: v, Usage: usage, allowed: allowed + ", or auto", ok: func() bool { return v.IsAuto() || ok(v.value) }})
}

func (b *settingsBuilder) flag(key string, v *bool, usage string) {
	b.add(Setting{Key: key, Value: v, Usage: usage})
}
