package auxhead

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// every begins a place that is no name: every:N, a head on every N-th module.
const every = "every"

// modules are the end points of a trunk's modules, by depth: those that have towers, which are end points below their name. The
// units of a stem and the towers themselves are end points, but no modules.
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

// places finds what a spec's At names: an end point, a node, a pattern over them, or every:N.
//
// every:N is a head on every N-th module (Lee et al. 2015, Deeply-Supervised Nets, has them on every layer): the N-th, the 2N-th
// and so on, by depth. The last module has none, as the main classifier reads it.
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
