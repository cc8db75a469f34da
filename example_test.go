package tributary_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"os"
	"path/filepath"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
	"github.com/tributary-ml/tributary/train"
)

// quick returns a configuration with a run short enough for an example.
func quick(out string) train.Config {
	c := train.Default()
	c.Out, c.Epochs, c.Warmup, c.Width, c.Heads = out, 1, 0, 0.25, "inception4a:0.3:gap"
	c.ImageSize = 16
	return c
}

func temporary() string {
	dir, err := os.MkdirTemp("", "tributary-example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}

// Train a small Inception with a head on the images within the program, and then for another epoch.
func Example() {
	ctx, out := context.Background(), temporary()
	defer os.RemoveAll(out)
	c := quick(out)
	c.Name = "first"
	summary, err := tributary.Train(ctx, c, tributary.Options{Report: func(e train.Event) {
		if e, ok := e.(train.EpochEnded); ok {
			fmt.Printf("epoch %d: %v test images\n", e.Epoch, e.Test.Images)
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("better than chance:", summary.BestTop1 > 0.3)

	run, err := tributary.Resume(ctx, filepath.Join(out, "first"), tributary.Options{Change: func(c *train.Config) error {
		c.Epochs = 2
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	if summary, err = run.Train(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("epochs:", summary.Epochs)
	// Output:
	// epoch 1: 1000 test images
	// better than chance: true
	// epochs: 2
}

// photographs writes a folder of pictures. Each class is a folder; here one of red and one of blue
// pictures.
func photographs(dir string) string {
	for class, c := range map[string]color.RGBA{"red": {200, 40, 30, 255}, "blue": {30, 60, 210, 255}} {
		for part, n := range map[string]int{"train": 32, "val": 8} {
			folder := filepath.Join(dir, part, class)
			if err := os.MkdirAll(folder, 0o755); err != nil {
				log.Fatal(err)
			}
			for i := range n {
				m := image.NewRGBA(image.Rect(0, 0, 40, 32))
				for y := range 32 {
					for x := range 40 {
						v := uint8((x*i + 3*y) % 40)
						m.Set(x, y, color.RGBA{c.R + v, c.G + v, c.B + v, 255})
					}
				}
				f, err := os.Create(filepath.Join(folder, fmt.Sprintf("%02d.png", i)))
				if err == nil {
					err = png.Encode(f, m)
				}
				if err == nil {
					err = f.Close()
				}
				if err != nil {
					log.Fatal(err)
				}
			}
		}
	}
	return dir
}

// Fine-tune a trained network on a folder of images, and classify a file with it.
func Example_fineTune() {
	ctx, out := context.Background(), temporary()
	defer os.RemoveAll(out)
	c := quick(out)
	c.Name, c.Channels = "pretrained", 3
	if _, err := tributary.Train(ctx, c, tributary.Options{}); err != nil {
		log.Fatal(err)
	}

	photos := photographs(filepath.Join(out, "photos"))
	c.Name, c.Data, c.Init = "tuned", "folder:"+photos, filepath.Join(out, "pretrained") // weights of a run, or a file of torchvision's
	c.Batch, c.Epochs, c.LR = 8, 4, train.Num(0.01)
	if _, err := tributary.Train(ctx, c, tributary.Options{}); err != nil {
		log.Fatal(err)
	}

	classifier, err := tributary.Load(filepath.Join(out, "tuned"), tributary.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer classifier.Close()
	picture := filepath.Join(photos, "val", "red", "03.png")
	for p, err := range classifier.Predict(ctx, []string{picture}, tributary.PredictOptions{Top: 1}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(filepath.Base(p.File), p.Classes[0].Class)
	}
	if _, err := classifier.Save(filepath.Join(out, "photos.onnx"), nil); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 03.png red
}

// A custom head is a function that builds it: here two layers on the output of a module.
func Example_ownHead() {
	ctx, out := context.Background(), temporary()
	defer os.RemoveAll(out)
	head := func(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
		x = layers.ConvBN(1e-3, 0.1, nil)(g, name+"/conv", x, 16, graph.Square(1, 1, 0))
		return layers.FC(g, name+"/fc", g.GlobalAvgPool(name+"/pool", x), classes, nil, layers.Bias{})
	}
	c := quick(out)
	c.Name = "own-head"
	o := tributary.Options{Heads: []auxhead.Spec{{At: "inception3b", Weight: 0.2, Name: "mine", Build: head}}}
	if _, err := tributary.Train(ctx, c, o); err != nil {
		log.Fatal(err)
	}

	classifier, err := tributary.Load(filepath.Join(out, "own-head"), o) // the checkpoint holds weights, not functions
	if err != nil {
		log.Fatal(err)
	}
	defer classifier.Close()
	result, err := classifier.Evaluate(ctx, tributary.TestOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range result.Heads {
		fmt.Println(h.Name, h.Top1 > 0.2)
	}
	// Output:
	// main true
	// mine true
}

// stripes is a custom data set: images of 16×16 grey pixels with stripes, horizontal in one class
// and vertical in the other.
type stripes int

func (stripes) Info() dataset.Info {
	return dataset.Info{Name: "stripes", Classes: []string{"across", "down"}, C: 1, H: 16, W: 16, Mean: []float32{0.5}, Std: []float32{0.25}}
}

func (n stripes) Len() int { return int(n) }

func (stripes) Decode(i int, dst *dataset.Image) (label int32, err error) {
	dst.Reshape(16, 16, 1)
	for y := range 16 {
		for x := range 16 {
			at := y
			if i%2 == 1 {
				at = x
			}
			dst.Pix[16*y+x] = byte(64 + 128*((at+i/2)/2%2) + i%17)
		}
	}
	return int32(i % 2), nil
}

// Use custom data and a custom network: the data describe the images, and the network is a function
// from images to logits.
func Example_ownDataAndNetwork() {
	ctx, out := context.Background(), temporary()
	defer os.RemoveAll(out)
	network := func(g *graph.Graph, images *graph.Node, classes int) *graph.Node {
		unit := layers.ConvBN(1e-3, 0.1, nil)
		x := g.Mark("stem", unit(g, "stem", images, 8, graph.Square(3, 1, 1)))
		x = g.MaxPool("pool", x, graph.Square(2, 2, 0))
		a := unit(g, "module/1x1", x, 8, graph.Square(1, 1, 0))
		b := unit(g, "module/3x3", x, 8, graph.Square(3, 1, 1))
		x = g.Mark("module", g.Concat("module/concat", a, b))
		return layers.FC(g, "fc", g.GlobalAvgPool("avgpool", x), classes, nil, layers.Bias{})
	}
	c := train.Default()
	c.Out, c.Model, c.Augment, c.Heads = out, "two-towers", "none", "stem:0.3"
	c.Epochs, c.Batch, c.Warmup = 3, 16, 0
	summary, err := tributary.Train(ctx, c, tributary.Options{
		Network: network,
		Data:    &dataset.Set{Train: stripes(320), Test: stripes(64)},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f %% of the test images\n", 100*summary.BestTop1)
	// Output:
	// 100 % of the test images
}

// Use heads as early exits: an image leaves at a head that is sure of it, and the rest of the
// network is computed only for the others.
func Example_earlyExits() {
	ctx, out := context.Background(), temporary()
	defer os.RemoveAll(out)
	c := quick(out)
	c.Name = "exits"
	if _, err := tributary.Train(ctx, c, tributary.Options{}); err != nil {
		log.Fatal(err)
	}
	classifier, err := tributary.Load(filepath.Join(out, "exits"), tributary.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer classifier.Close()
	rule := exits.Rule{Criterion: exits.Confidence, Thresholds: []float64{0.6}}
	cascade, err := classifier.Cascade(nil, rule)
	if err != nil {
		log.Fatal(err)
	}
	e, err := classifier.On(ctx, tributary.TestOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	result, err := e.Exits(ctx, cascade, rule)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cascade.Names(), result.Images, "images")
	fmt.Println("some leave early:", result.Outcome.Exits[0].Images > 0)
	// Output:
	// [aux1 main] 1000 images
	// some leave early: true
}

// Measure the gradient flow during training: the gradient that each head sends to each layer.
func Example_gradientFlow() {
	ctx, out := context.Background(), temporary()
	defer os.RemoveAll(out)
	c := quick(out)
	c.GradflowEvery = 100
	_, err := tributary.Train(ctx, c, tributary.Options{Report: func(e train.Event) {
		if e, ok := e.(train.Flowed); ok {
			layer := e.Flow.Layers[0] // the first convolution
			fmt.Println(e.Flow.Step, layer.Name, e.Flow.Heads, layer.Gradient[0] > 0, layer.Gradient[1] > 0)
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 conv1/conv/weight [main aux1] true true
	// 100 conv1/conv/weight [main aux1] true true
}
