package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/internal/plainfile"
)

// Subset returns a source of some of src's images, given by their indices, in the order of images.
func Subset(src Source, images []int) Source { return &subset{src, slices.Clone(images)} }

type subset struct {
	Source
	images []int
}

func (s *subset) Len() int { return len(s.images) }

func (s *subset) counts() []int { return nil } // the source's counts are of all images

func (s *subset) Decode(i int, dst *Image) (int32, error) { return s.Source.Decode(s.images[i], dst) }

// fileList is a source of the files that a user names.
type fileList struct {
	info  Info
	parts []*imageFolder // each is a folder or a single file
	left  leftOut
	where []fileAt
}

// fileAt says where an image is, or why there is none.
type fileAt struct {
	part, file int
	fault      error
}

// Files returns a source of images without classes, of opt.Channels channels (3 if 0) and of any
// size, turned if opt.Orientation is set. It has the files that paths name, whatever their endings,
// and the image files, recognised by their endings, in the folders that paths name and below. The
// order is that of paths. Each image is a class of its own: its label is its index, and
// Info.Classes has the files' paths. A bad image is an error of Decode. A path that does not exist,
// or a folder without images, takes the place of one image that cannot be decoded.
//
// It is an error to give no paths.
func Files(ctx context.Context, paths []string, opt OpenOptions) (Source, error) {
	c := imageChannels(opt)
	if c != 1 && c != 3 {
		return nil, fmt.Errorf("image files: %d channels: images have 1 or 3", c)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no image files: name some, or folders of them")
	}
	s := &fileList{info: Info{Name: "image files", C: c}}
	for _, p := range paths {
		part, err := filesOf(ctx, p, s.info)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.where = append(s.where, fileAt{fault: err})
			s.info.Classes = append(s.info.Classes, quoteName(p))
			continue
		}
		s.left.merge(&part.left)
		part.labels = make([]int32, len(part.files))
		for i, f := range part.files {
			s.where = append(s.where, fileAt{part: len(s.parts), file: i})
			s.info.Classes = append(s.info.Classes, quoteName(part.root.path(f)))
		}
		s.parts = append(s.parts, part)
	}
	images := &decoder{memory: newBudget(opt.Memory), orient: opt.Orientation}
	for _, p := range s.parts {
		p.images = images
	}
	return s, nil
}

// filesOf returns the image or the images that a path names.
func filesOf(ctx context.Context, p string, info Info) (*imageFolder, error) {
	st, err := os.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(p)
	}
	if err == nil && !st.IsDir() && !st.Mode().IsRegular() {
		err = fmt.Errorf("is %s, not a file", plainfile.Kind(st.Mode()))
	}
	if err != nil {
		return nil, fileError(p, bare(err), "name image files, or folders of them")
	}
	part := &imageFolder{info: info, root: folder{diskFS(p), p}}
	if !st.IsDir() {
		dir, base := filepath.Split(p)
		if dir == "" {
			dir = "."
		}
		part.root, part.files = folder{diskFS(dir), dir}, []string{base}
	} else if err := part.walk(ctx, diskDir(ctx, part.root, p, "."), ".", maxDepth, nil); err != nil {
		return nil, err
	}
	if len(part.files) == 0 {
		return nil, fileError(p, errors.New("the folder holds no images"+part.left.instead()), "their names end in "+strings.Join(extensions, " "))
	}
	return part, nil
}

// LeftOut lists what was left out in the folders that [Files] was given, one line each.
func LeftOut(files Source) []string {
	if s, ok := files.(*fileList); ok {
		return s.left.notes()
	}
	return nil
}

func (s *fileList) Info() Info { return s.info }

func (s *fileList) Len() int { return len(s.where) }

func (s *fileList) Decode(i int, dst *Image) (int32, error) {
	w := s.where[i]
	if w.fault != nil {
		return 0, w.fault
	}
	_, err := s.parts[w.part].Decode(w.file, dst)
	return int32(i), err
}
