package interop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// wrappers are prefixes that PyTorch's wrappers of a module add to the names of its tensors:
// DataParallel and similar ones, torch.compile, and programs that keep the network as a member or
// save more than its tensors.
var wrappers = []string{"module.", "_orig_mod.", "model.", "state_dict."}

// averaged is the tensor with the number of updates that torch.optim.swa_utils.AveragedModel has
// averaged. It stands beside the tensors of the module.
const averaged = "n_averaged"

// Unwrap strips the prefixes that wrappers have added to the names of a file's tensors, one or
// several of "module.", "_orig_mod.", "model." and "state_dict.", and returns a note about it. It
// is an error if the names have different prefixes, or if two names become equal: then the file
// holds more than one network.
func (f *File) Unwrap() (notes []string, err error) {
	by := map[string]string{} // for each prefix, one of the names that have it
	for _, t := range f.tensors {
		if t.Name != averaged {
			by[wrapping(t.Name)] = t.Name
		}
	}
	switch _, plain := by[""]; {
	case len(by) == 0, len(by) == 1 && plain:
		return nil, nil
	case len(by) > 1:
		var kinds []string
		for _, p := range slices.Sorted(maps.Keys(by)) {
			kinds = append(kinds, fmt.Sprintf("some with the prefix %q, such as %s", p, by[p]))
		}
		return nil, fmt.Errorf("%s: not all names of tensors begin alike: %s; save one network to a file, with or without a prefix", f.Path, strings.Join(kinds, "; "))
	}
	byName := map[string]int{}
	for i := range f.tensors {
		t := &f.tensors[i]
		p := wrapping(t.Name)
		if t.Name != averaged {
			f.prefix = p
		}
		t.Name = t.Name[len(p):]
		if _, twice := byName[t.Name]; twice {
			return nil, fmt.Errorf("%s: two tensors are called %s once %q is stripped", f.Path, t.Name, f.prefix)
		}
		byName[t.Name] = i
	}
	f.byName = byName
	return []string{fmt.Sprintf("all names in %s begin with %q: stripped", f.Path, f.prefix)}, nil
}

// wrapping returns the prefix that wrappers have added to a name.
func wrapping(name string) string {
	rest := name
next:
	for _, w := range wrappers {
		if after, ok := strings.CutPrefix(rest, w); ok {
			rest = after
			goto next
		}
	}
	return name[:len(name)-len(rest)]
}
