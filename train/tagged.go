package train

// kept is an event that the files of a run keep: the log as a line of JSON, TensorBoard's file as scalars.
type kept interface {
	Event
	kind() string // of its line
	// scalars are its numbers, and the update that they belong to. All numbers of the JSON are among them but those that say
	// where the run is, those that follow from others, and those that another event of the same update has.
	scalars() (step int, all []tagged)
}

// tagged is one number of an event. TensorBoard groups tags by what is before their first slash.
type tagged struct {
	tag   string
	value float64
}

// scalars are the numbers of a result, under tags that begin with what it is a result of.
func (r Result) scalars(of string) []tagged {
	all := []tagged{{of + "/total", r.Total}}
	for _, h := range r.Heads {
		all = append(all, tagged{of + "/loss/" + h.Name, h.Loss}, tagged{of + "/top1/" + h.Name, h.Top1}, tagged{of + "/top5/" + h.Name, h.Top5})
	}
	return all
}
