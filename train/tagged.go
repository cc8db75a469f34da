package train

// kept is an event that the files of a run record: the log as a line of JSON, TensorBoard's file as
// scalars.
type kept interface {
	Event
	kind() string // the kind of its log line
	// scalars returns its numbers and their update. They are all numbers of the JSON, except those
	// that give the run's position, those that follow from others, and those that another event of
	// the same update has.
	scalars() (step int, all []tagged)
}

// tagged is one number of an event. TensorBoard groups tags by the part before their first slash.
type tagged struct {
	tag   string
	value float64
}

// scalars returns the numbers of a result, with tags that begin with of, the name of what was
// measured.
func (r Result) scalars(of string) []tagged {
	all := []tagged{{of + "/total", r.Total}}
	for _, h := range r.Heads {
		all = append(all, tagged{of + "/loss/" + h.Name, h.Loss}, tagged{of + "/top1/" + h.Name, h.Top1}, tagged{of + "/top5/" + h.Name, h.Top5})
	}
	return all
}
