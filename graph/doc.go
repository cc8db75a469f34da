// Package graph is Tributary's intermediate representation: a network with all its heads as named
// nodes over NHWC activations, the reverse sweep that differentiates any set of weighted losses at
// once, and the Plan that a Backend runs.
//
// A Graph is built node by node. Every operation has one file with its shape rule, its gradient
// rule and its steps. Compile schedules, fuses and differentiates the graph into Steps over Buffers
// (schedule.go, fuse.go, backprop.go) and places the buffers in one arena (memory.go). A Backend
// turns the Plan into a Program.
//
// # What a plan does
//
// Tests check each point on the plan (plan_test.go, streams_test.go), and check that the fused
// sweep equals the sum of separate sweeps (graph/backendtest). The command inspect --steps prints a
// plan.
//
//  1. One step computes the loss, the gradient of the logits and the number of correct answers of
//     every head.
//  2. One reverse sweep visits trunk and heads once. Where a node feeds several consumers, the
//     first gradient stores and the later ones accumulate inside their own step. No step only adds
//     gradients.
//  3. Concatenation has no step: branches write their channel slice of one buffer, and backward
//     reads slices.
//  4. Sibling 1×1 convolutions of a module are one step forward, one for the data gradient, one for
//     the filter gradient.
//  5. Bias, ReLU, the sums of batch normalisation and its folded form are part of the convolutions'
//     epilogues. The factor, the sum and the ReLU of a residual block are one step each way.
//  6. The optimizer updates every parameter, its slots and its moving average in one step.
//  7. Buffers that are not in use at the same time share memory in one arena.
//  8. The plan knows which steps depend on each other (Plan.Dependencies). A GPU runs the others
//     side by side.
package graph
