// Command buildcubins compiles the kernels for GPUs and writes kernels/cubins: an archive for each
// source, with a cubin for each architecture; resources.txt, the resources that each kernel takes
// on a multiprocessor; and manifest.txt, which identifies the inputs of the archives. Run it with
// make cubins.
//
//	buildcubins          write kernels/cubins
//	buildcubins -check   compare kernels/cubins with what would be written
//
// It runs in the module's root folder with the compiler that tools/cudatoolchain/install.sh
// installs there. The cubins stay as files in build/cubins/ARCHITECTURE/, those of sm_90a with the
// PTX that they were made from. Warnings of the compiler, spilled registers and stack frames are
// errors.
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
