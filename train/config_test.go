package train

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
)

func TestConfigErrorsNameKeyValueAndAllowed(t *testing.T) {
	for _, c := range []struct {
		key, value string
		want       []string
	}{
		{"optimizer", "adam", []string{"optimizer", `"adam"`, "sgd, rmsprop, rmsprop_tf or adamw", "adamw?"}},
		{"augment", "crop-filp", []string{"augment", "did you mean crop-flip?"}},
		{"epochs", "0", []string{"epochs", `"0"`, "from 1"}},
		{"lr", "-1", []string{"lr", `"-1"`, "above 0", "auto"}},
		{"momentum", "1", []string{"momentum", "below 1"}},
		{"width", "NaN", []string{"width", "NaN"}},
		{"ema", "1.5", []string{"ema", "below 1"}},
		{"channels", "2", []string{"channels", "0, 1 or 3"}},
		{"schedule", "cosin", []string{"schedule", `"cosin"`, "cosine"}},
		{"schedule", "step:x", []string{"schedule", "EPOCHS", `"x"`, "above 0"}},
		{"schedule", "cosine:0:1", []string{"too many parameters"}},
		{"head-schedule", "liner", []string{"head-schedule", "linear"}},
		{"head-schedule", "until:8", []string{"head schedule until:8", "the run has 8 epochs"}},
		{"warmup", "8", []string{"warmup", "below the run's 8"}},
		{"device", "cudo", []string{"device", "cuda"}},
		{"device", "cuda:x", []string{"device", "index of a GPU"}},
		{"name", "a/b", []string{"name", "slash"}},
		{"name", "last", []string{"name", "the newest run"}},
		{"nesterov", "true", nil},
	} {
		config := Default()
		for _, s := range config.Settings() {
			if s.Key == c.key {
				require.NoError(t, s.Set(c.value), c.key)
			}
		}
		err := config.Check()
		if c.want == nil {
			require.NoError(t, err)
		}
		for _, w := range c.want {
			require.ErrorContains(t, err, w)
		}
	}
	config := Default()
	require.NoError(t, config.Check())
	for _, s := range config.Settings() {
		if _, text := s.Value.(*string); !text {
			require.ErrorContains(t, s.Set("many"), s.Key)
		}
	}
}

// A setting that the chosen rule does not have is an error: no setting is without effect.
func TestOptimizerSettings(t *testing.T) {
	c := Default()
	o, err := c.Update()
	require.NoError(t, err)
	require.Equal(t, graph.Optimizer{Rule: graph.SGD, Momentum: 0.9, WeightDecay: 5e-4}, o)
	for rule, setting := range map[string]*Number{"adamw": &c.Momentum, "sgd": &c.Alpha, "rmsprop": &c.Beta1, "rmsprop_tf": &c.Beta2} {
		c.Optimizer = rule
		*setting = Num(0.5)
		_, err := c.Update()
		require.ErrorContains(t, err, rule+" has none")
		*setting = Number{}
		_, err = c.Update()
		require.NoError(t, err)
	}
	c.Optimizer, c.Nesterov = "adamw", true
	_, err = c.Update()
	require.ErrorContains(t, err, "Nesterov")
	c = Default()
	c.Optimizer = "rmsprop_tf"
	c.Resolve()
	require.Equal(t, []Number{Num(0.01), Num(0.9), Num(0.9), Num(1), {}}, []Number{c.LR, c.Momentum, c.Alpha, c.Eps, c.Beta1})
}

func TestConfigFile(t *testing.T) {
	c := Default()
	c.LR, c.Data, c.Name, c.Heads = Num(0.125), "folder:/with: colon and #", "007", "inception3a:0.3:gap,inception3c:0.1"
	c.Resolve()
	d := Default()
	require.NoError(t, d.ReadYAML("run.yaml", c.YAML()))
	require.Equal(t, c, d)

	for text, want := range map[string]string{
		"model: x\nlrr: 1\n":        `run.yaml: line 2: unknown key "lrr"; the nearest: lr`,
		"lr: 1\n\nlr: 2\n":          "line 3",
		"lr: [1, 2]":                "run.yaml: line 1: lr takes one value",
		"epochs: many":              `run.yaml: line 1: epochs: "many" is not possible: it is a whole number`,
		"- a":                       "key: value",
		"lr: 1\na: b: c":            "run.yaml: line 2",
		"lr: &a 1\nmomentum: *a\n":  "line 2: momentum is the alias *a: write its value",
		"beta1: .nan":               "number or auto",
		"? {a: b}\n: 1":             "unknown key",
		"epochs: 3\n---\nepochs: 4": "run.yaml: line 2: a second document begins",
		"epochs: 3\n---\n":          "a second document begins",
		"--- {}\n---\nlr: [":        "run.yaml: line",
		"a: &a [*a]\n":              `unknown key "a"`,
		"<<: {lr: 1}\n":             `unknown key "<<"`,
		"---\nepochs: 3\n...\n":     "",
	} {
		d := Default()
		err := d.ReadYAML("run.yaml", []byte(text))
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
	require.NoError(t, d.ReadYAML("empty.yaml", nil))
	require.NoError(t, d.ReadYAML("run.yaml", []byte("init:\nlr: auto\n")))
	require.True(t, d.LR.IsAuto())
}

// A path may be any bytes. A configuration file writes it as UTF-8, and reads it back unchanged.
func TestConfigFileTakesAnyBytes(t *testing.T) {
	c := Default()
	c.Data, c.Name = "folder:/tmp/caf\xe9/"+strings.Repeat("\xff", 200), "plain é"
	text := c.YAML()
	require.True(t, utf8.Valid(text))
	var back Config
	require.NoError(t, back.ReadYAML("run.yaml", text))
	require.Equal(t, c, back)
	require.NoError(t, back.ReadYAML("run.yaml", []byte("data: !!binary |\n  Zm9s\n  ZGVyOuk=\n")))
	require.Equal(t, "folder:\xe9", back.Data)
	require.ErrorContains(t, back.ReadYAML("run.yaml", []byte("data: !!binary '*'")), "run.yaml: line 1: data: illegal base64")
}

func TestConfigFileWithSection(t *testing.T) {
	var text string
	var number int
	more := []Setting{{Key: "variants", Group: "Ablation", Value: &text}, {Key: "seeds", Value: &number}}
	c := Default()
	require.NoError(t, c.ReadYAMLWith("run.yaml", []byte("lr: 0.125\nablate:\n  variants: none; default\n  seeds: 3\nepochs: 2\n"), "ablate", more))
	require.Equal(t, "none; default 3 2 0.125", fmt.Sprint(text, " ", number, " ", c.Epochs, " ", c.LR.String()))
	file := c.YAMLWith("ablate", more)
	text, number = "", 0
	d := Default()
	require.NoError(t, d.ReadYAMLWith("again.yaml", file, "ablate", more))
	require.Equal(t, "none; default 3", fmt.Sprint(text, " ", number))
	require.Equal(t, c, d)
	for file, want := range map[string]string{
		"ablate: 3":                        "run.yaml: line 1: a configuration is a list of lines",
		"ablate:\n  variant: none":         `run.yaml: line 2: unknown key "variant"; the nearest: variants`,
		"ablate:\n  ablate:\n    seeds: 3": `run.yaml: line 2: unknown key "ablate"`,
		"lr: 1\nablate:\n  seeds: x":       "run.yaml: line 3: seeds: \"x\" is not possible: it is a whole number",
		"ablat:\n  seeds: 3":               `unknown key "ablat"; the nearest: ablate`,
	} {
		require.ErrorContains(t, c.ReadYAMLWith("run.yaml", []byte(file), "ablate", more), want)
	}
	require.ErrorContains(t, c.ReadYAML("run.yaml", file), `unknown key "ablate"`)
}

func FuzzConfig(f *testing.F) {
	c := Default()
	f.Add(c.YAML())
	f.Add([]byte("lr: 1\nepochs: 2"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := Default()
		if c.ReadYAML("fuzz.yaml", text) != nil || c.Check() != nil {
			return
		}
		d := Default()
		require.NoError(t, d.ReadYAML("again.yaml", c.YAML()), "%s", c.YAML())
		require.Equal(t, c, d)
	})
}
