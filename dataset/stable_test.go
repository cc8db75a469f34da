package dataset

import (
	"fmt"
	"hash/fnv"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The training images and their order stay the same forever for a layout that has once been read,
// because runs go on after an update. The sums are those of the first reader, of commit 7eb32ef.
func TestLayoutsAreStable(t *testing.T) {
	p := pngFile(t, pattern(6, 4))
	var files []string
	for i := range 40 {
		files = append(files, fmt.Sprintf("%s/%s%d.%s", []string{"dog", "Cat", "bird", "b"}[i%4], []string{"", "sub/", "a.b/x/", "Z/"}[i/7%4], i*37%41, []string{"png", "JPG", "jpeg"}[i%3]))
	}
	in := func(part string) map[string][]byte {
		out := map[string][]byte{}
		for i, f := range files {
			if part == "" || i%3 == len(part)%3 || i < 4 {
				out[part+f] = p
			}
		}
		return out
	}
	merged := func(maps ...map[string][]byte) map[string][]byte {
		out := map[string][]byte{}
		for _, m := range maps {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	archive := func(part string, from, to int) []byte {
		var all []member
		m := in(part)
		names := mapKeys(m)
		slices.Sort(names)
		for i, name := range names {
			if i >= from && i < to {
				all = append(all, member{name, p})
			}
		}
		return tarFile(t, all...)
	}
	labelled := func(dir string, from int) []byte {
		var all []member
		for i := range 12 {
			key := fmt.Sprintf("%s%04d", dir, from+i)
			all = append(all, member{key + ".png", p}, member{key + ".cls", fmt.Append(nil, i%3*7)})
		}
		return tarFile(t, all...)
	}
	flat := func(n int) []byte {
		var all []member
		for i := range n {
			all = append(all, member{fmt.Sprintf("n%d.png", i*13%29), p})
		}
		return tarFile(t, all...)
	}
	for name, c := range map[string]struct {
		kind  string
		files map[string][]byte
		sum   uint64
	}{
		"folder split":    {"folder", in(""), 0xf920f90c06a8f7e1},
		"folder parts":    {"folder", merged(in("train/"), in("validation/")), 0xf3d0c970a10c12a2},
		"folder test":     {"folder", merged(in("train/"), in("test/")), 0xdd2bfed9fa578270},
		"tar split":       {"tar", map[string][]byte{"b.tar": archive("", 0, 20), "a.tar": archive("", 20, 99)}, 0x4d8e77623ceadbed},
		"tar folders":     {"tar", map[string][]byte{"train/b.tar": archive("", 0, 20), "train/a.tar": archive("", 20, 99), "val/x.tar": archive("", 0, 99)}, 0x9124c153dfb5f4a3},
		"tar names":       {"tar", map[string][]byte{"my-train-1.tar": archive("", 0, 20), "my-train-0.tar": archive("", 20, 99), "my-val-0.tar": archive("", 0, 99)}, 0x97ebf0543d75aa53},
		"tar within":      {"tar", map[string][]byte{"0.tar": archive("train/", 0, 99), "1.tar": archive("val/", 0, 99)}, 0x92893e39bb3d166a},
		"tar classes":     {"tar", map[string][]byte{"n0144.tar": flat(11), "n0202.tar": flat(17)}, 0x5922f0f2dde6b9fb},
		"shards split":    {"tar", map[string][]byte{"x-0.tar": labelled("", 0), "x-1.tar": labelled("in/", 50)}, 0x3f9d29a9ae2e5875},
		"shards one part": {"tar", map[string][]byte{"train-0.tar": labelled("train/", 0), "train-1.tar": labelled("train/", 50)}, 0x75c3b32ef228d74b},
		"shards names":    {"tar", map[string][]byte{"s-train-0.tar": labelled("", 0), "s-val-0.tar": labelled("in/", 50)}, 0x775508b1702b745},
		"shards within":   {"tar", map[string][]byte{"0.tar": labelled("train/", 0), "1.tar": labelled("val/", 50)}, 0x49382366f99f55fd},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, c.files)
			open := openTree
			if c.kind == "tar" {
				open = openTars
			}
			set, err := open(dir, OpenOptions{Seed: 5})
			require.NoError(t, err)
			defer set.Close()
			h := fnv.New64a()
			for _, s := range []Source{set.Train, set.Test} {
				s := s.(*imageFolder)
				fmt.Fprintln(h, s.Len(), s.info.Classes, s.files, s.labels)
			}
			require.Equal(t, c.sum, h.Sum64(), "%#x", h.Sum64())
		})
	}
}
