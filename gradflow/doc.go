// Package gradflow measures what each head's gradient does in the trunk: how large it is in every
// layer, whether heads agree or fight, and what they add to each other.
//
// A Meter measures a Flow during training without changing it. A Watch raises an Alarm if gradients
// vanish, dominate or fight. Choose places heads by the flows of a short run. Conflicts (PCGrad, Yu
// et al. 2020) and Uncertainty (Kendall et al. 2018) balance the heads' weights by the
// measurements.
//
// A training measures with train.Config.GradflowEvery and reports each Flow as a train.Flowed;
// train.Folder.ReadFlows reads those of a run. Print writes one as a table, WriteReport all of them
// as a page.
package gradflow
