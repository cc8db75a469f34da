package dataset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	maxClassText = 256     // bytes of a class in a file
	maxLabelJSON = 1 << 20 // bytes of a .json file that is read
	classDigits  = 6       // digits of a class that is a number, so that sorted names are in the order of numbers
	maxTarClass  = 1e6     // limit of classes that are numbers
)

// label is the class of an image as given by a file beside it.
type label struct {
	text   string
	number bool
	file   string // member of the archive
}

// labelFiles read the files that may hold an image's label, by the ending of their names. A file
// without a label is an error only if it cannot hold anything else.
var labelFiles = map[string]func(r io.Reader, size int64) (label, bool, error){
	".cls": func(r io.Reader, _ int64) (label, bool, error) {
		text, err := classText(r)
		l, ok := textLabel(text)
		if err == nil && !ok {
			err = fmt.Errorf("says %.60q: a class is a name in one line or a number from 0 on", text)
		}
		return l, ok, err
	},
	".txt": func(r io.Reader, _ int64) (label, bool, error) {
		text, err := classText(r)
		l, ok := textLabel(text)
		return l, ok, err
	},
	".json": func(r io.Reader, size int64) (label, bool, error) {
		if size > maxLabelJSON {
			return label{}, false, nil
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return label{}, false, err
		}
		l, ok := jsonLabel(data)
		return l, ok, nil
	},
}

// labelOrder are the keys of labelFiles. An archive's labels come from the first ending that has
// some.
var labelOrder = []string{".cls", ".json", ".txt"}

// jsonKeys are the keys of a label in a .json file; the first that exists counts.
var jsonKeys = []string{"label", "class", "cls"}

func classText(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxClassText+1))
	return string(text), err
}

// textLabel returns the label in a text, if the text can be one.
func textLabel(text string) (label, bool) {
	clean := strings.TrimSpace(text)
	if clean == "" || len(text) > maxClassText || strings.ContainsAny(clean, "\n\r\x00") {
		return label{}, false
	}
	if v, err := strconv.ParseFloat(clean, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return numberLabel(v)
	}
	return label{text: clean}, true
}

func numberLabel(v float64) (label, bool) {
	if v < 0 || v >= maxTarClass || v != math.Trunc(v) {
		return label{}, false
	}
	return label{text: strconv.Itoa(int(v)), number: true}, true
}

// jsonLabel returns the label in a JSON text: a name or a number, or an object that has one under
// one of jsonKeys.
func jsonLabel(data []byte) (label, bool) {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return label{}, false
	}
	if object, ok := v.(map[string]any); ok {
		for _, k := range jsonKeys {
			if l, ok := jsonValue(object[k]); ok {
				return l, true
			}
		}
		return label{}, false
	}
	return jsonValue(v)
}

func jsonValue(v any) (label, bool) {
	switch v := v.(type) {
	case float64:
		return numberLabel(v)
	case string:
		return textLabel(v)
	}
	return label{}, false
}

// key returns the key of a WebDataset's sample: a member's name up to the first dot of its last
// element.
func key(name string) string {
	dir, base := path.Split(name)
	base, _, _ = strings.Cut(base, ".")
	return dir + base
}

// label sets the classes of the images of a part's archives from the files beside them, if the
// archives are WebDataset's shards.
func (e *encoded) label(all []*archive) error {
	shards := e.areShards(all)
	labels := map[*archive]map[string]label{}
	for _, ending := range labelOrder {
		use := ending == ".cls" || shards || len(all) == 1 || slices.ContainsFunc(all, func(a *archive) bool { return a.tellsApart(ending) })
		for _, a := range all {
			if labels[a] != nil || !use || !a.labelled(ending, shards) {
				continue
			}
			labels[a] = a.labels[ending]
			delete(a.left.endings, ending)
			if err := a.samples(ending); err != nil {
				return err
			}
		}
	}
	for _, a := range all {
		if labels[a] == nil && shards && !slices.ContainsFunc(a.images, func(i tarImage) bool { dir, _ := path.Split(i.name); return dir != "" && dir != a.stem()+"/" }) {
			return fileError(a.path, fmt.Errorf("its images have no classes: beside x.jpg there is no x.cls, no x.json with one of %s, and no x.txt with a class alone", strings.Join(jsonKeys, ", ")),
				"put labels beside the images, or images in folders of their classes: CLASS/x.jpg")
		}
	}
	if err := e.consistent(all, labels); err != nil {
		return err
	}
	var labelled []*tarImage
	for _, a := range all {
		for i := range a.images {
			if l, ok := labels[a][key(a.images[i].name)]; ok {
				a.images[i].class, a.images[i].rest = e.className(l), a.images[i].name
				labelled = append(labelled, &a.images[i])
			}
		}
	}
	partsOfLabelled(labelled)
	return nil
}

// labelled reports whether the labels of an archive's images come from files with an ending. Files
// .cls always count. Others count only if the images lie in no folders, or in folders that are not
// classes.
func (a *archive) labelled(ending string, shards bool) bool {
	labels := a.labels[ending]
	if ending == ".cls" {
		return len(labels) > 0
	}
	return slices.ContainsFunc(a.images, func(i tarImage) bool { _, ok := labels[key(i.name)]; return ok }) &&
		!slices.ContainsFunc(a.images, func(i tarImage) bool {
			dir, _ := path.Split(i.name)
			return slices.ContainsFunc(strings.FieldsFunc(dir, func(r rune) bool { return r == '/' }), func(step string) bool {
				return partOf(step) == "" && !slices.Contains(plainWords, strings.ToLower(step)) && (step != a.stem() || !shards)
			})
		})
}

// tellsApart reports whether files with an ending give an archive's images several classes. An
// archive that is a class by itself may hold other files beside images.
func (a *archive) tellsApart(ending string) bool {
	texts, images := map[string]bool{}, 0
	for _, i := range a.images {
		if l, ok := a.labels[ending][key(i.name)]; ok {
			texts[l.text] = true
			images++
		}
	}
	return len(texts) > 1 && (ending != ".txt" || 2*len(texts) <= images)
}

// shardWords are words in the names of archives that are shards of a set. Numbers follow them.
var shardWords = append([]string{"shard", "shards", "parts", "chunk", "wds", "webdataset", "img"}, plainWords...)

// classWords are words in the names of archives that are classes by number.
var classWords = []string{"class", "cls", "label", "category", "cat"}

// areShards reports, from their names, whether archives are pieces of one set rather than one for
// each class. A word says so, or they are numbered from 0 or 1 on.
func (e *encoded) areShards(all []*archive) bool {
	var numbers []int
	prefix, width, beside, word := "", 0, false, true
	for i, a := range all {
		stem := a.stem()
		if slices.Contains(e.known, quoteName(stem)) {
			return false
		}
		before := strings.TrimRight(stem, "0123456789")
		n, err := strconv.Atoi(stem[len(before):])
		if err != nil {
			return false
		}
		if i > 0 && before != prefix {
			prefix = "\x00" // the prefixes differ
		} else {
			prefix = before
		}
		numbers = append(numbers, n)
		width = len(stem) - len(before)
		beside = beside || len(a.labels) > 0
		word = word && slices.ContainsFunc(words(before), func(w string) bool { return partWords[w] != "" || slices.Contains(shardWords, w) })
	}
	if word {
		return true
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	n := len(numbers)
	if len(all) == 1 {
		return beside
	}
	if prefix == "\x00" || n != len(all) || numbers[0] > 1 || numbers[n-1]-numbers[0] != n-1 {
		return false
	}
	if prefix == "" {
		return width > 2 || beside
	}
	return !slices.ContainsFunc(words(prefix), func(w string) bool { return slices.Contains(classWords, w) })
}

// samples keeps one image for each key of a WebDataset: the one whose ending follows the key. Other
// images, such as masks, have more endings.
func (a *archive) samples(ending string) error {
	labels := a.labels[ending]
	chosen := map[string]int{}
	var out []tarImage
	plain := func(name string) bool { return key(name)+path.Ext(name) == name }
	for _, i := range a.images {
		k := key(i.name)
		if _, ok := labels[k]; !ok {
			has := "a " + ending + " file beside them"
			if ending != ".cls" {
				has = "one in a " + ending + " file beside them"
			}
			return fileError(a.path, fmt.Errorf("%s has no class: other images of the archive have %s", i.name, has), "add it to "+k+ending)
		}
		at, ok := chosen[k]
		switch {
		case !ok:
			chosen[k] = len(out)
			out = append(out, i)
		case plain(out[at].name) == plain(i.name):
			return fileError(a.path, fmt.Errorf("%s and %s are images of one sample", out[at].name, i.name), "leave one out, or name it otherwise")
		case plain(i.name):
			a.left.others.add(a.path + ": " + out[at].name)
			out[at] = i
		default:
			a.left.others.add(a.path + ": " + i.name)
		}
	}
	a.images = out
	return nil
}

// consistent returns an error if labels are not classes: some are numbers and others names, or
// nearly every image has a label of its own.
func (e *encoded) consistent(all []*archive, labels map[*archive]map[string]label) error {
	if e.known != nil {
		return nil
	}
	var number, name label
	var in *archive
	texts, images := map[string]bool{}, 0
	for _, a := range all {
		for _, i := range a.images {
			l, ok := labels[a][key(i.name)]
			if !ok {
				continue
			}
			if l.number {
				number = cmp.Or(number, l)
			} else {
				name = cmp.Or(name, l)
			}
			if path.Ext(l.file) == ".txt" && !l.number {
				in = a
				texts[l.text] = true
			}
			images++
		}
	}
	if number != (label{}) && name != (label{}) {
		return fileError(all[0].path, fmt.Errorf("some images have numbers for classes, others names: %s says %s, %s says %s", number.file, number.text, name.file, name.text), "write all as one or the other")
	}
	if len(texts) > 2 && 2*len(texts) > images {
		return fileError(in.path, fmt.Errorf("the .txt files beside %d images say %d different things: they are no classes but captions", images, len(texts)),
			"put labels beside the images: x.cls, or x.json with one of "+strings.Join(jsonKeys, ", "))
	}
	return nil
}

// className returns the class that a label stands for.
func (e *encoded) className(l label) string {
	if n, err := strconv.Atoi(l.text); err == nil && l.number && !slices.Contains(e.known, l.text) {
		return fmt.Sprintf("%0*d", classDigits, n)
	}
	return l.text
}

// partsOfLabelled sets the part of labelled images from their first folder below the folder that
// all share, if that is a part's folder for all of them.
func partsOfLabelled(images []*tarImage) {
	if len(images) == 0 {
		return
	}
	prefix, _ := path.Split(images[0].name)
	for _, i := range images {
		for !strings.HasPrefix(i.name, prefix) {
			prefix = prefix[:strings.LastIndexByte(prefix[:len(prefix)-1], '/')+1]
		}
	}
	found := map[string]bool{}
	for _, i := range images {
		first, _, ok := strings.Cut(i.name[len(prefix):], "/")
		if !ok || partOf(first) == "" {
			return
		}
		found[partOf(first)] = true
	}
	if len(found) < 2 {
		return
	}
	for _, i := range images {
		i.part, i.rest, _ = strings.Cut(i.name[len(prefix):], "/")
	}
}
