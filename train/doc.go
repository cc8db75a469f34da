// Package train trains networks with auxiliary heads: configuration, optimizers and schedules, the loop over batches and
// epochs, evaluation, checkpoints that resume bit for bit, and the folder that a run leaves behind.
//
// The way through the package: a [Config] describes a run completely (config.go, settings.go); New turns it, a graph, a
// backend and a data set into a [Trainer] (trainer.go), whose Run is the loop (loop.go, step.go, evaluate.go). Everything
// that happens is an [Event] (event.go): the log file, TensorBoard's file and the command line all read that one stream. A
// [Folder] is where a run writes (folder.go), a [Checkpoint] what it goes on from (checkpoint.go).
package train
