package interop

import "fmt"

// The names of timm's state_dicts. timm has no heads for these networks. The names of their heads
// begin with AuxLogits, as in TF-slim.

// inceptionV4Names returns the names of timm.models.inception_v4.InceptionV4, whose modules are
// numbered.
func inceptionV4Names() dialect {
	d := dialect{roots: map[string]string{"aux": "AuxLogits", "fc": "last_linear"}, units: inceptionV4Units, modules: map[string]map[string]string{
		"Mixed_3a": {"tower3x3": "conv"},
		"Mixed_4a": {"tower3x3/reduce": "branch0.0", "tower3x3/3x3": "branch0.1", "tower7x7/reduce": "branch1.0", "tower7x7/1x7": "branch1.1",
			"tower7x7/7x1": "branch1.2", "tower7x7/3x3": "branch1.3"},
		"Mixed_5a": {"tower3x3": "conv"},
		"Mixed_6a": reductionAUnits,
		"Mixed_7a": {"tower3x3/reduce": "branch0.0", "tower3x3/3x3": "branch0.1", "tower7x7x3/reduce": "branch1.0", "tower7x7x3/1x7": "branch1.1",
			"tower7x7x3/7x1": "branch1.2", "tower7x7x3/3x3": "branch1.3"},
	}}
	for i, name := range []string{"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Mixed_3a", "Mixed_4a", "Mixed_5a", "Mixed_5b", "Mixed_5c", "Mixed_5d",
		"Mixed_5e", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_6f", "Mixed_6g", "Mixed_6h", "Mixed_7a", "Mixed_7b", "Mixed_7c", "Mixed_7d"} {
		d.roots[name] = fmt.Sprintf("features.%d", i)
		if i >= 19 {
			d.modules[name] = inceptionV4CUnits
		}
	}
	return d
}

// inceptionV4Units are the units of timm's InceptionA and InceptionB.
var inceptionV4Units = map[string]string{
	"tower1x1":           "branch0",
	"tower3x3/reduce":    "branch1.0", // A
	"tower3x3/3x3":       "branch1.1",
	"tower3x3dbl/reduce": "branch2.0",
	"tower3x3dbl/3x3a":   "branch2.1",
	"tower3x3dbl/3x3b":   "branch2.2",
	"tower7x7/reduce":    "branch1.0", // B
	"tower7x7/1x7":       "branch1.1",
	"tower7x7/7x1":       "branch1.2",
	"tower7x7dbl/reduce": "branch2.0",
	"tower7x7dbl/7x1a":   "branch2.1",
	"tower7x7dbl/1x7a":   "branch2.2",
	"tower7x7dbl/7x1b":   "branch2.3",
	"tower7x7dbl/1x7b":   "branch2.4",
	"towerpool/proj":     "branch3.1",
}

// inceptionV4CUnits are the units of timm's InceptionC.
var inceptionV4CUnits = map[string]string{
	"tower1x1":           "branch0",
	"tower3x3/reduce":    "branch1_0",
	"tower3x3/1x3":       "branch1_1a",
	"tower3x3/3x1":       "branch1_1b",
	"tower3x3dbl/reduce": "branch2_0",
	"tower3x3dbl/3x1a":   "branch2_1",
	"tower3x3dbl/1x3a":   "branch2_2",
	"tower3x3dbl/1x3b":   "branch2_3a",
	"tower3x3dbl/3x1b":   "branch2_3b",
	"towerpool/proj":     "branch3.1",
}

// reductionAUnits are the units of timm's ReductionA and Mixed_6a.
var reductionAUnits = map[string]string{
	"tower3x3":           "branch0",
	"tower3x3dbl/reduce": "branch1.0",
	"tower3x3dbl/3x3a":   "branch1.1",
	"tower3x3dbl/3x3b":   "branch1.2",
}

// inceptionResNetV2Names returns the names of timm.models.inception_resnet_v2.InceptionResnetV2.
func inceptionResNetV2Names() dialect {
	d := dialect{roots: map[string]string{"aux": "AuxLogits", "fc": "classif", "Conv2d_1a_3x3": "conv2d_1a", "Conv2d_2a_3x3": "conv2d_2a",
		"Conv2d_2b_3x3": "conv2d_2b", "Conv2d_3b_1x1": "conv2d_3b", "Conv2d_4a_3x3": "conv2d_4a", "Conv2d_7b_1x1": "conv2d_7b",
		"Mixed_5b": "mixed_5b", "Mixed_6a": "mixed_6a", "Mixed_7a": "mixed_7a", "Block8_10": "block8"},
		units: inceptionResNetV2Units, modules: map[string]map[string]string{
			"Mixed_5b": {"tower1x1": "branch0", "tower5x5/reduce": "branch1.0", "tower5x5/5x5": "branch1.1", "tower3x3dbl/reduce": "branch2.0",
				"tower3x3dbl/3x3a": "branch2.1", "tower3x3dbl/3x3b": "branch2.2", "towerpool/proj": "branch3.1"},
			"Mixed_6a": reductionAUnits,
			"Mixed_7a": {"tower3x3a/reduce": "branch0.0", "tower3x3a/3x3": "branch0.1", "tower3x3b/reduce": "branch1.0", "tower3x3b/3x3": "branch1.1",
				"tower3x3dbl/reduce": "branch2.0", "tower3x3dbl/3x3a": "branch2.1", "tower3x3dbl/3x3b": "branch2.2"},
		}}
	for _, r := range []struct {
		block, file string
		count       int
	}{{"Block35", "repeat", 10}, {"Block17", "repeat_1", 20}, {"Block8", "repeat_2", 9}} {
		for i := range r.count {
			d.roots[fmt.Sprintf("%s_%d", r.block, i+1)] = fmt.Sprintf("%s.%d", r.file, i)
		}
	}
	return d
}

// inceptionResNetV2Units are the units of timm's Block35, Block17 and Block8.
var inceptionResNetV2Units = map[string]string{
	"tower1x1":           "branch0",
	"tower3x3/reduce":    "branch1.0",
	"tower3x3/3x3":       "branch1.1", // 35
	"tower3x3dbl/reduce": "branch2.0",
	"tower3x3dbl/3x3a":   "branch2.1",
	"tower3x3dbl/3x3b":   "branch2.2",
	"tower7x7/reduce":    "branch1.0", // 17
	"tower7x7/1x7":       "branch1.1",
	"tower7x7/7x1":       "branch1.2",
	"tower3x3/1x3":       "branch1.1", // 8
	"tower3x3/3x1":       "branch1.2",
}
