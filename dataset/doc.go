// Package dataset reads labelled images and feeds them to training in batches.
//
// A [Source] gives random access to decoded images with labels: whole sets in
// memory (MNIST, Fashion-MNIST, CIFAR-10) or encoded files in class folders or tar
// files, which stay in memory once they have been decoded, as far as there is
// room.
// [Open] makes the training and the test source of a set from a name such as
// "cifar10" or "folder:DIR". A [Transform] augments one image, or brings it to
// the network's input size. A [Loader] runs both on several goroutines and
// yields batches of uint8 pixels in NHWC order.
//
// Pixels stay uint8 all the way: the engine normalises them, with the mean and
// the standard deviation in [Info], as a step of its plan. A loader that defers
// leaves the transforms to the plan, too: its batches carry regions of decoded
// images and recipes (package augment) that say what becomes of them, which makes
// the same images.
//
// Everything random is a function of (seed, epoch, sample): batches are the
// same for any number of workers, and a run resumed in the middle of an epoch
// sees exactly the batches it had left.
package dataset
