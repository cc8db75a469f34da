package dataset_test

import (
	"context"
	"fmt"
	"log"

	"github.com/tributary-ml/tributary/dataset"
)

func Example() {
	ctx := context.Background()
	set, err := dataset.Open(ctx, "fashion-mnist-mini", dataset.OpenOptions{Channels: 3})
	if err != nil {
		log.Fatal(err)
	}
	info := set.Train.Info()
	loader, err := dataset.NewLoader(set.Train, dataset.TrainTransform(info, 32, 32), dataset.LoaderOptions{
		Batch: 64, Shuffle: true, DropLast: true, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}

	// Resume at batch 90 of epoch 2.
	images := 0
	for batch, err := range loader.Epoch(ctx, 2, 90) {
		if err != nil {
			log.Fatal(err)
		}
		images += batch.Rows
		batch.Release()
	}
	n, h, w, c := loader.Shape()
	fmt.Println(loader.Batches(), "batches of", n, h, w, c, "-", images, "images left")
	// Output: 93 batches of 64 32 32 3 - 192 images left
}
