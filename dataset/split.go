package dataset

import (
	"cmp"
	"errors"
	"hash/fnv"
	"slices"
)

// testShare is the inverse of the share of images that split keeps for testing.
const testShare = 10

// split divides s into a training and a test source. Of each class a tenth, rounded, and at least
// one image, is for testing. The choice depends only on seed and the files' names.
func (s *imageFolder) split(seed uint64) (train, test *imageFolder, err error) {
	train = &imageFolder{info: s.info, root: s.root, left: s.left, archives: s.archives}
	test = &imageFolder{info: s.info, root: s.root}
	for start := 0; start < len(s.files); {
		label := s.labels[start]
		end := start
		for end < len(s.files) && s.labels[end] == label {
			end++
		}
		class := s.files[start:end]
		if len(class) < 2 {
			return nil, nil, fileError(s.root.path(class[0]), errors.New("is its class's only image: it cannot be split into training and test images"),
				"add images, or name the two parts yourself: train/CLASS and val/CLASS")
		}
		held := max(1, (len(class)+testShare/2)/testShare)
		draw := drawn(class, held, seed)
		for _, file := range class {
			part := train
			if _, ok := draw[file]; ok {
				part = test
			}
			part.files = append(part.files, file)
			part.labels = append(part.labels, label)
		}
		start = end
	}
	return train, test, nil
}

// drawn chooses n of the files: those with the lowest hashes with seed.
func drawn(files []string, n int, seed uint64) map[string]struct{} {
	rank := make(map[string]uint64, len(files))
	for _, file := range files {
		h := fnv.New64a()
		h.Write([]byte(file))
		rank[file] = mix(h.Sum64() ^ mix(seed^streamSplit))
	}
	ordered := slices.SortedFunc(slices.Values(files), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(a, b))
	})
	chosen := make(map[string]struct{}, n)
	for _, file := range ordered[:n] {
		chosen[file] = struct{}{}
	}
	return chosen
}
