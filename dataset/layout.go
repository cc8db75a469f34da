package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The parts of a set.
const (
	partTrain = "train"
	partVal   = "val"
	partTest  = "test"
)

// partNames are the parts in the order in which one is chosen to be measured.
var partNames = []string{partTest, partVal, partTrain}

// partWords are the names of parts' folders, in any case.
var partWords = map[string]string{
	"train": partTrain, "training": partTrain,
	"val": partVal, "valid": partVal, "validation": partVal, "dev": partVal,
	"test": partTest, "testing": partTest,
}

// plainWords may stand beside a part's word in a folder's name: training_set, test-images, train
// 2017.
var plainWords = []string{"set", "data", "dataset", "image", "images", "imgs", "split", "part"}

// partOf returns the part that a folder's name stands for, or "".
func partOf(name string) string {
	part := ""
	for _, word := range words(name) {
		switch p := partWords[word]; {
		case p != "" && part == "":
			part = p
		case p != "" || !slices.Contains(plainWords, word) && !isNumber(word):
			return ""
		}
	}
	return part
}

// words returns the words and numbers in a name, in lower case.
func words(name string) []string {
	digit := func(r byte) bool { return '0' <= r && r <= '9' }
	var out []string
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("_-. ()", r) }) {
		start := 0
		for i := 1; i <= len(word); i++ {
			if i == len(word) || digit(word[i]) != digit(word[i-1]) {
				out = append(out, word[start:i])
				start = i
			}
		}
	}
	return out
}

func isNumber(word string) bool {
	return word != "" && strings.Trim(word, "0123456789") == ""
}

// maxAround is the maximum number of nested folders around the classes.
const maxAround = 6

// finder finds out what the folders of a set are: parts, classes, or folders around them.
type finder struct {
	root  folder
	known []string // the classes, if they are known
	notes []string
}

// isClass reports whether a folder's name is the name of a known class.
func (f *finder) isClass(name string) bool { return slices.Contains(f.known, quoteName(name)) }

func (f *finder) note(format string, args ...any) {
	f.notes = append(f.notes, quoteName(fmt.Sprintf(format, args...)))
}

// find returns for each part the folder that holds its class folders. Without parts, the folder of
// the whole set is under "".
func (f *finder) find(top group) (map[string]group, error) {
	for at, depth := top, 0; ; depth++ {
		parts, err := f.parts(at)
		if err != nil {
			return nil, err
		}
		if len(parts) > 0 {
			for part, g := range parts {
				if parts[part], err = f.inside(g, maxAround); err != nil {
					return nil, err
				}
			}
			return parts, nil
		}
		next, ok, err := f.around(at)
		if err != nil {
			return nil, err
		}
		if !ok || depth == maxAround {
			return map[string]group{"": at}, nil
		}
		at = next
	}
}

// inside descends through folders around class folders.
func (f *finder) inside(at group, depth int) (group, error) {
	next, ok, err := f.around(at)
	if err != nil || !ok || depth == 0 {
		return at, err
	}
	return f.inside(next, depth-1)
}

// parts returns the folders in a group that are parts of a set. A folder is a part if its name says
// so and it is not a class that happens to have that name. It is no class if nothing that holds
// images lies beside such folders, or if there is one for training whose images all lie in folders,
// or if there is one for training and two have images in folders.
func (f *finder) parts(at group) (map[string]group, error) {
	subs, err := at.subs()
	if err != nil {
		return nil, err
	}
	named := map[string][]group{}
	var others []group
	for _, s := range subs {
		if p := partOf(s.name); p != "" {
			named[p] = append(named[p], s)
		} else {
			others = append(others, s)
		}
	}
	if len(named) == 0 {
		return nil, nil
	}
	out := map[string]group{}
	held := false
	for part, all := range named {
		var holding []group
		for _, g := range all {
			ok, err := g.holds()
			if err != nil {
				return nil, err
			}
			if ok {
				holding = append(holding, g)
			}
		}
		if len(holding) > 0 {
			all, held = holding, true
		}
		named[part], out[part] = all, all[0]
	}
	if !held {
		return nil, nil
	}
	classes := 0 // number of parts whose images lie in folders
	pure := false
	for _, part := range partNames {
		g, ok := out[part]
		if !ok {
			continue
		}
		nested, err := g.nested()
		if err != nil {
			return nil, err
		}
		direct, err := g.images(f.root)
		if err != nil {
			return nil, err
		}
		if nested {
			classes++
		}
		if part == partTrain {
			pure = nested && direct.n == 0
		}
		if !nested && f.isClass(g.name) {
			return nil, nil
		}
	}
	beside := holdingOnly(others)
	if len(beside) > 0 && !pure && (classes < 2 || out[partTrain].dirs == nil) {
		return nil, nil
	}
	for _, all := range named {
		switch {
		case len(all) == 1:
		case classes == 0: // the folders are classes: test1, test2
			return nil, nil
		default:
			return nil, fileError(f.root.name, fmt.Errorf("%s and %s are folders of the same part", all[0].where(f.root), all[1].where(f.root)),
				"put their images together, or rename the one that is not meant")
		}
	}
	if g, ok := out[partTest]; ok && len(out) > 1 {
		n, err := f.unlabelled(g)
		if err != nil {
			return nil, err
		}
		if n > 0 { // such as the test images of competitions
			f.note("the %d images of %s have no labels and are left out", n, g.where(f.root))
			delete(out, partTest)
		}
	}
	if len(beside) > 0 {
		f.note("beside the parts of the set and left out: %s", few(names(beside)))
	}
	if direct, err := at.images(f.root); err == nil && direct.n > 0 {
		f.note("images beside the parts of the set and left out: %d, such as %s", direct.n, direct.first)
	}
	return out, nil
}

// unlabelled counts the images of a part that lie in no class folder. They lie in the part's folder
// or in one without a meaning: test/images/x.jpg.
func (f *finder) unlabelled(g group) (int, error) {
	subs, err := g.subs()
	if err != nil {
		return 0, err
	}
	if nested, err := g.nested(); err != nil || !nested {
		direct, err2 := g.images(f.root)
		return direct.n, cmp.Or(err, err2)
	}
	if name := subs[0].name; len(subs) == 1 && !f.isClass(name) && (partOf(name) != "" || slices.Contains(plainWords, strings.ToLower(name))) {
		return f.unlabelled(subs[0])
	}
	return 0, nil
}

// holdingOnly returns the groups that hold images. Groups that cannot be read are left out too,
// because they were not asked for.
func holdingOnly(groups []group) []group {
	return slices.DeleteFunc(slices.Clone(groups), func(g group) bool {
		ok, err := g.holds()
		return !ok || err != nil
	})
}

// around returns the folder within a group that encloses the classes, or encloses another such
// folder: the only folder in the group, if it is no class itself.
func (f *finder) around(at group) (group, bool, error) {
	subs, err := at.subs()
	if err != nil {
		return group{}, false, err
	}
	if len(subs) > 1 {
		return f.aroundEach(at, subs)
	}
	if len(subs) == 0 || f.isClass(subs[0].name) {
		return group{}, false, nil
	}
	if ok, err := f.hasClasses(subs[0], maxAround); err != nil || !ok {
		return group{}, false, err
	}
	f.note("%s is taken for a folder around the class folders", subs[0].where(f.root))
	if direct, err := at.images(f.root); err == nil && direct.n > 0 {
		f.note("images beside it and left out: %d, such as %s", direct.n, direct.first)
	}
	return subs[0], true, nil
}

// hasClasses reports whether the folders in a group are classes or parts, or the group has a single
// folder with such folders.
func (f *finder) hasClasses(g group, depth int) (bool, error) {
	inner, err := g.subs()
	if err != nil || len(inner) == 0 {
		return false, err
	}
	if len(inner) > 1 || f.isClass(inner[0].name) {
		return true, nil
	}
	if partOf(inner[0].name) != "" {
		if deeper, err := inner[0].nested(); deeper || err != nil {
			return deeper, err
		}
	}
	if depth == 0 {
		return false, nil
	}
	return f.hasClasses(inner[0], depth-1)
}

// aroundEach descends through folders around the classes in several archives, if every archive has
// its own: part1.tar with part1/CLASS and part2.tar with part2/CLASS. But cat.tar with cat/2020 and
// dog.tar with dog/2021 are classes. So the inner folders must have names in common, or the names
// of the outer folders must differ only in numbers.
func (f *finder) aroundEach(at group, subs []group) (group, bool, error) {
	if len(at.dirs) < 2 {
		return group{}, false, nil
	}
	out := group{name: at.name}
	seen := map[string]int{} // number of archives that have an inner folder of this name
	stems := map[string]bool{}
	known := 0
	for _, d := range at.dirs {
		if len(d.entries) != 1 || d.entries[0].dir == nil {
			return group{}, false, nil
		}
		sub := d.entries[0].dir
		for _, e := range sub.entries {
			if e.dir == nil {
				return group{}, false, nil
			}
			seen[e.name]++
			if f.isClass(e.name) {
				known++
			}
		}
		stems[strings.Trim(sub.name, "0123456789")] = true
		out.dirs = append(out.dirs, sub)
	}
	common := false
	for _, n := range seen {
		common = common || n > 1
	}
	if f.known != nil {
		if known == 0 || slices.ContainsFunc(subs, func(s group) bool { return f.isClass(s.name) }) {
			return group{}, false, nil
		}
	} else if len(seen) < 2 || !common && (len(stems) > 1 || stems[""]) {
		return group{}, false, nil
	}
	f.note("%s are taken for folders around the class folders", few(names(subs)))
	return out, true, nil
}
