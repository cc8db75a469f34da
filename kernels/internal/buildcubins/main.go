// Command buildcubins compiles the kernels for GPUs and writes kernels/cubins: an archive for each source, with a cubin for each
// architecture; resources.txt, what each kernel takes of a multiprocessor; and manifest.txt, what the archives were made from.
// Run it with make cubins.
//
//	buildcubins          write kernels/cubins
//	buildcubins -check   compare kernels/cubins with what would be written
//
// It runs in the module's root folder and takes the compiler that tools/cudatoolchain/install.sh has installed there. The cubins
// stay in build/cubins/ARCHITECTURE/, as files, those of sm_90a with the PTX that they were made of. Warnings of the compiler, spilled registers and stack frames are errors.
package main

import (
	"flag"
	"log"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("buildcubins: ")
	check := flag.Bool("check", false, "compare with what is there, and write nothing")
	flag.Parse()
	built, err := build(".")
	if err != nil {
		log.Fatal(err)
	}
	if *check {
		err = built.compare(folder)
	} else {
		err = built.write(folder)
	}
	if err != nil {
		log.Fatal(err)
	}
	log.Println(built.summary())
}
