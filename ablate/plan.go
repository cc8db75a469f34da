package ablate

import (
	"crypto/sha256"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/internal/plain"
	"github.com/tributary-ml/tributary/train"
)

// Section is the key of a configuration file that holds an ablation's own settings.
const Section = "ablate"

// Baseline is the variant that all others are compared with: no heads. Every plan contains it.
const Baseline = "none"

// Options are the settings of an ablation in addition to those of its runs.
type Options struct {
	Variants string // settings of heads, separated by semicolons; empty: the configuration's heads
	Weights  string // weights, separated by commas, each of which every variant uses on all its heads; empty: the variants' own
	Seeds    string // seeds, separated by commas; a single number is their count, starting at the configuration's seed
}

// DefaultOptions returns options that compare a configuration's heads with none at three seeds.
func DefaultOptions() Options { return Options{Seeds: "3"} }

// Settings returns the settings of o, as keys of a file and flags.
func (o *Options) Settings() []train.Setting {
	const group = "Ablation"
	return []train.Setting{
		{Key: "variants", Group: group, Value: &o.Variants, Usage: "`heads` to compare with none: settings as of --heads with semicolons between; empty: those of --heads"},
		{Key: "weights", Group: group, Value: &o.Weights, Usage: "`weights` with commas between: every variant with each of them on all its heads; empty: the variants' own"},
		{Key: "seeds", Group: group, Value: &o.Seeds, Usage: "`seeds` with commas between; a single number is how many, from --seed on"},
	}
}

// Plan is a list of runs: every variant with every seed.
type Plan struct {
	Base     train.Config // of all runs, except heads, seed and folder
	Options  Options
	Variants []string // settings of heads; the first is Baseline
	Seeds    []uint64
}

// NewPlan returns the plan for a configuration and an ablation's options. d has the defaults of the
// configuration's network.
func NewPlan(base train.Config, o Options, d auxhead.Defaults) (*Plan, error) {
	base.Resolve()
	p := &Plan{Base: base, Options: o}
	if err := p.readVariants(d); err != nil {
		return nil, err
	}
	if err := p.readSeeds(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Plan) readVariants(d auxhead.Defaults) error {
	weights, err := parseWeights(p.Options.Weights)
	if err != nil {
		return err
	}
	text := p.Options.Variants
	if strings.TrimSpace(text) == "" {
		text = p.Base.Heads
	}
	p.Variants = []string{Baseline}
	meaning := map[string]string{Baseline: Baseline}
	add := func(variant string, specs []auxhead.Spec) error {
		full := auxhead.Format(specs)
		if other, ok := meaning[full]; ok {
			return &train.ValueError{Key: "variants", Value: p.Options.Variants, Allowed: fmt.Sprintf("%q and %q are the same heads: leave one out", other, variant)}
		}
		meaning[full] = variant
		p.Variants = append(p.Variants, variant)
		return nil
	}
	for variant := range strings.SplitSeq(text, ";") {
		variant = strings.TrimSpace(variant)
		if variant == "" || variant == Baseline { // a semicolon at the end, or the baseline, which is always there
			continue
		}
		specs, err := parseHeads(variant, d)
		if err != nil {
			return fmt.Errorf("variants: %w", err)
		}
		if weights == nil {
			if err := add(variant, specs); err != nil {
				return err
			}
		}
		for _, w := range weights {
			specs := slices.Clone(specs)
			for i := range specs {
				specs[i].Weight = w
			}
			if err := add(auxhead.Format(specs), specs); err != nil {
				return err
			}
		}
	}
	if len(p.Variants) == 1 {
		return &train.ValueError{Key: "variants", Value: text, Allowed: `it needs heads to compare with none, such as "default; inception4a:0.1"`}
	}
	return nil
}

// parseHeads parses a variant: heads, or heads that a short run places for each seed.
func parseHeads(variant string, d auxhead.Defaults) ([]auxhead.Spec, error) {
	if s, ok, err := auxhead.ParseAuto(variant, d); ok || err != nil {
		return []auxhead.Spec{s}, err
	}
	return auxhead.ParseSpecs(variant, d)
}

func parseWeights(text string) ([]float64, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var out []float64
	for item := range strings.SplitSeq(text, ",") {
		w, err := strconv.ParseFloat(strings.TrimSpace(item), 64)
		if err != nil || math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
			return nil, &train.ValueError{Key: "weights", Value: text, Allowed: fmt.Sprintf("%q is not a number from 0", strings.TrimSpace(item))}
		}
		out = append(out, w)
	}
	return out, nil
}

func (p *Plan) readSeeds() error {
	fail := func(why string) error { return &train.ValueError{Key: "seeds", Value: p.Options.Seeds, Allowed: why} }
	for item := range strings.SplitSeq(p.Options.Seeds, ",") {
		s, err := strconv.ParseUint(strings.TrimSpace(item), 10, 64)
		switch {
		case err != nil:
			return fail("it is whole numbers with commas between, or how many seeds to take")
		case slices.Contains(p.Seeds, s):
			return fail(fmt.Sprintf("seed %d is there twice", s))
		}
		p.Seeds = append(p.Seeds, s)
	}
	if len(p.Seeds) > 1 {
		return nil
	}
	n := p.Seeds[0]
	if n < 1 || n > 1000 {
		return fail("a number of seeds is from 1 to 1000")
	}
	p.Seeds = nil
	for i := range n {
		p.Seeds = append(p.Seeds, p.Base.Seed+i)
	}
	return nil
}

// Run is one run of a plan.
type Run struct {
	Variant string
	Seed    uint64
	Config  train.Config
	Folder  *train.Folder
}

// Runs returns the runs of a plan within a folder, seed by seed. So every variant soon has a
// baseline to compare with, and a temporary disturbance of the machine affects all variants.
func (p *Plan) Runs(folder string) []*Run {
	var out []*Run
	for _, seed := range p.Seeds {
		for _, v := range p.Variants {
			c := p.Base
			c.Heads, c.Seed = v, seed
			c.Out, c.Name = filepath.Join(folder, folderName(v)), fmt.Sprintf("seed%d", seed)
			out = append(out, &Run{v, seed, c, &train.Folder{Path: filepath.Join(c.Out, c.Name)}})
		}
	}
	return out
}

var noName = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// folderName returns a name for a variant's folder that differs from every other variant's.
func folderName(variant string) string {
	name := strings.Trim(noName.ReplaceAllString(variant, "-"), "-.")
	if name == variant && len(name) < 60 {
		return name
	}
	sum := sha256.Sum256([]byte(variant))
	return fmt.Sprintf("%.50s-%x", name, sum[:3])
}

// Name returns the name of the plan's folder if the user gives none. It is the same for the same
// configuration of the runs. So the same command continues where it stopped, and a command with
// more seeds or variants adds to the existing runs.
func (p *Plan) Name() string {
	h := sha256.New()
	c := p.common()
	for _, s := range c.Settings() {
		if !s.Local {
			fmt.Fprintf(h, "%s: %s\n", s.Key, s)
		}
	}
	return fmt.Sprintf("ablate-%s-%x", p.Base.Model, h.Sum(nil)[:4])
}

// common returns the settings that all runs of an ablation have in common.
func (p *Plan) common() train.Config {
	c := p.Base
	c.Heads, c.Seed = Baseline, 0
	return c
}

// continues returns an error if other, the plan of an existing folder, is of other runs.
func (p *Plan) continues(folder string, other *train.Config) error {
	mine, theirs := p.common(), (&Plan{Base: *other}).common()
	if diff := theirs.Differences("ablation "+folder, &mine, "now"); len(diff) > 0 {
		list := plain.List{"this is another ablation: choose another --name, or take the settings back"}
		for _, d := range diff {
			list = append(list, "  "+d)
		}
		return list
	}
	return nil
}

// YAML returns the plan as a configuration file.
func (p *Plan) YAML() []byte {
	c, o := p.Base, p.Options
	c.Name = ""
	return c.YAMLWith(Section, o.Settings())
}
