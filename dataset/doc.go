// Package dataset reads labelled images and feeds them to training in batches.
//
// A [Source] gives random access to decoded images with labels. Some sources are whole sets in
// memory (MNIST, Fashion-MNIST, CIFAR-10). Others are encoded files in class folders or tar files;
// a cache keeps their images once they have been decoded, as far as there is room. [Open] makes the
// training and the test source of a set from a name such as "cifar10" or "folder:DIR". A
// [Transform] augments one image, or brings it to the network's input size. A [Loader] runs both on
// several goroutines and yields batches of uint8 pixels in NHWC order.
//
// Pixels stay uint8 all the way. The engine normalises them, with the mean and the standard
// deviation in [Info], as a step of its plan. A loader that defers leaves the transforms to the
// plan, too: its batches carry regions of decoded images, and recipes (package augment) that say
// how to transform them. The resulting images are the same.
//
// Everything random is a function of (seed, epoch, sample). So batches are the same for any number
// of workers, and a run resumed in the middle of an epoch sees exactly the batches that were left.
package dataset
