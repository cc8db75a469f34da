// Package exits uses heads as early exits (BranchyNet, Teerapittayanon et al. 2016). An image
// leaves the network at the first head that is sure of it, and only the others go on through the
// trunk.
//
// NewCascade cuts a network behind its heads. A Rule says when an image leaves. Curve measures
// accuracy against computation for every threshold, and Best chooses a threshold within a budget.
// Parse reads a user's text for all of these.
//
// For a trained network, tributary.Load opens it, Classifier.Cascade cuts it, and Evaluation.Exits
// runs images through it by a rule. A Runner does that for any program.
package exits
