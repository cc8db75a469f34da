// Package train trains networks with auxiliary heads. The root package tributary is the front door
// to it: it opens the data, the network and the device that a training needs. This package has the
// configuration, the optimizers and schedules, the loop over batches and epochs, evaluation,
// checkpoints that resume bit for bit, and the folder that a run writes.
//
// A [Config] describes a run completely (config.go, settings.go). [New] makes a [Trainer] from it,
// a graph, a backend and a data set (trainer.go); the trainer's Run is the loop (loop.go, step.go,
// evaluate.go). Everything that happens is an [Event] (event.go); the log file, TensorBoard's file
// and the command line all read this one stream. A [Folder] is where a run writes (folder.go), and
// a [Checkpoint] is what a run resumes from (checkpoint.go).
package train
