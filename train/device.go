package train

import (
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// deviceKinds are the kinds of devices that Config.Device may name: "cpu", and "cuda" for the first
// GPU. "cuda:1" is the second GPU.
var deviceKinds = []string{"cpu", "cuda"}

// ParseDevice splits the name of a device into its kind, "cpu" or "cuda", and the index of the GPU.
func ParseDevice(name string) (kind string, index int, err error) {
	kind, number, numbered := strings.Cut(name, ":")
	if kind != "cpu" && kind != "cuda" {
		return "", 0, &graph.UnknownError{What: "device", Name: name, Nearest: graph.Nearest(kind, deviceKinds, 1)}
	}
	if !numbered {
		return kind, 0, nil
	}
	index, err = strconv.Atoi(number)
	if err != nil || index < 0 || kind == "cpu" {
		return "", 0, &ValueError{Key: "device", Value: name, Allowed: "it is cpu, cuda or cuda:N, with the index of a GPU"}
	}
	return kind, index, nil
}
