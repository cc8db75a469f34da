// augment.cpp: see memory.h.
#include "memory.h"

using namespace traced;

namespace {

// Images of 72 x 96 pixels from cuts of 100 x 130 pixels, mirrored, with all colours.
const int image_h = 72, image_w = 96;
AugmentRecipe recipe(int i) {
  AugmentRecipe r{};
  r.offset = i * 100 * 130 * 3;
  r.rows = {100, 0, 100, 0, image_h, 0, 0, 0, image_h};
  r.cols = {130, 0, 130, 1, image_w, 0, 0, 0, image_w};
  for (int j = 0; j < MAX_ADJUSTMENTS; j++) r.op[j] = 1 + (i + j) % MAX_ADJUSTMENTS, r.factor[j] = 1;
  return r;
}
TRACED_FLOAT(augment_resize) {
  Tensor<uint8_t> regions(images, 100 * 130 * 3), pixels(images, image_h * image_w * 3);
  Device<AugmentRecipe> recipes(std::vector<AugmentRecipe>({recipe(0), recipe(1)}));
  const int tiles = blocks(image_h, AUGMENT_TILE_H) * blocks(image_w, AUGMENT_TILE_W);
  Tensor<uint32_t> sums(images, tiles);
  run("augment_resize", {(unsigned)(images * tiles)},
      AugmentResizeParams{regions.data(), recipes.data(), pixels.data(), sums.data(), image_h, image_w, 3, tiles});
}
TRACED(augment_store) {
  Tensor<uint8_t> pixels(images, image_h * image_w * 3);
  Device<AugmentRecipe> recipes(std::vector<AugmentRecipe>({recipe(0), recipe(1)}));
  Tensor<uint32_t> sums(images, 9);
  Tensor<float> scale(3), shift(3);
  Tensor<T> y(images * image_h * image_w, 16 / (int)sizeof(T));
  const int parts = blocks(image_h * image_w, 4 * 256);
  run("augment_store" + suffix<T>(), {(unsigned)(images * parts)},
      AugmentStoreParams{pixels.data(), recipes.data(), sums.data(), scale.data(), shift.data(), y.view(), image_h, image_w, 3, y.cols, 9, parts});
}

}  // namespace
