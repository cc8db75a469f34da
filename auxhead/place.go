package auxhead

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// every begins a place that is not a name: every:N stands for a head on every N-th module.
const every = "every"

// modules returns the end points that are modules of a trunk, by depth. A module has towers, which
// are end points below its name. The units of a stem and the towers themselves are end points but
// not modules.
func modules(g *graph.Graph) []graph.EndPoint {
	var out []graph.EndPoint
	for _, e := range g.EndPoints() {
		for _, t := range g.EndPoints() {
			if strings.HasPrefix(t.Name, e.Name+"/") {
				out = append(out, e)
				break
			}
		}
	}
	return out
}

// places returns what a spec's At names: an end point, a node, the matches of a pattern over them,
// or the modules of every:N.
//
// every:N stands for the N-th, the 2N-th, … module by depth. (Lee et al. 2015, Deeply-Supervised
// Nets, put a head on every layer.) The last module is left out, because the main classifier reads
// it.
func places(g *graph.Graph, at string) ([]graph.EndPoint, error) {
	number, ok := strings.CutPrefix(at, every+":")
	if !ok {
		return g.Glob(at)
	}
	n, err := parseEvery(number)
	if err != nil {
		return nil, err
	}
	all := modules(g)
	var out []graph.EndPoint
	for i := n; i < len(all); i += n {
		out = append(out, all[i-1])
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has %d modules, of which the last one feeds the main classifier: every:%d means none of the others; name a smaller number", g.Name(), len(all), n)
	}
	return out, nil
}

func parseEvery(number string) (int, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return 0, errors.New("a head on every N-th module needs a whole number from 1, such as every:2")
	}
	return n, nil
}
