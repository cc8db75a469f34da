// params.h: one plain struct for each kernel, which is its only parameter, passed by value.
// Kernels, tests and Go share it; Go through generated mirrors, params_gen.go. The generator reads
// this file, so it keeps to a simple form: fields of the types below, one declaration per line, no
// padding without a name.
//
// gpu/matrix.h explains matrices. "rows" and "cols" count pixels and channels. Optional pointers
// may be null.
#pragma once
#include <stdint.h>

// View is an activation: neighbouring pixels are `stride` elements apart.
typedef struct {
  void* data;
  int32_t stride;
  int32_t pad;
} View;

enum { MAX_HEADS = 16, MAX_ADDENDS = 8 };

// RunState is what changes from step to step. It lies in device memory, where the host writes a new
// one before each launch, so that a captured graph need not be captured again.
typedef struct {
  uint64_t seed;                 // for dropout
  uint64_t step;                 // optimizer steps so far: dropout's counter
  float lr;                      // learning rate
  float ema_mix;                 // 1 - decay of the moving averages
  float grad_scale;              // factor of every gradient
  float bias1;                   // AdamW: 1 - beta1^t
  float bias2;                   // AdamW: 1 - beta2^t
  int32_t accumulate;            // add to the parameter gradients from the last run
  int32_t skip_update;           // leave out the optimizer
  float head_weight[MAX_HEADS];  // in the order of Plan.Losses
  int32_t pad;
} RunState;

// HeadMetrics is what a step reports about one head.
typedef struct {
  double loss;  // mean over the counted rows
  int32_t correct1;  // rows whose label is the largest logit
  int32_t correct5;  // rows whose label is among the five largest
} HeadMetrics;
// StepMetrics is what a step reports. It lies in device memory.
typedef struct {
  HeadMetrics heads[MAX_HEADS];
  double grad_norm;  // before clipping; 0 if the step had no update
  int32_t rows;      // counted rows
  int32_t pad;
} StepMetrics;

// ---- normalize ------------------------------------------------------------------------------------------------------
typedef struct {
  const uint8_t* pixels;  // rows x channels without gaps
  const float* scale;     // 1/(255·std), for each channel
  const float* shift;     // -mean/std
  View y;
  int32_t rows;
  int32_t channels;
  int32_t padded;  // channels of y; those beyond `channels` become 0
  int32_t pad;
} NormalizeParams;

// ---- convert --------------------------------------------------------------------------------------------------------
typedef struct {
  const float* x;  // rows x channels without gaps
  View y;
  int32_t rows;
  int32_t channels;
  int32_t padded;  // channels of y; those beyond `channels` become 0
  int32_t pad;
} ConvertParams;

// ---- augment --------------------------------------------------------------------------------------------------------
// AugmentAxis mirrors augment.Axis, and AugmentRecipe mirrors augment.Recipe; package augment
// explains them.
typedef struct {
  int32_t region;
  int32_t at;
  int32_t cut;
  int32_t mirror_cut;
  int32_t size;
  int32_t window;
  int32_t mirror_window;
  int32_t from;
  int32_t to;
} AugmentAxis;
enum { ADJUST_NONE, ADJUST_BRIGHTNESS, ADJUST_CONTRAST, ADJUST_SATURATION };
enum { MAX_ADJUSTMENTS = 3 };
typedef struct {
  int64_t offset;
  AugmentAxis rows;
  AugmentAxis cols;
  int32_t op[MAX_ADJUSTMENTS];
  float factor[MAX_ADJUSTMENTS];
  int32_t y0;  // corners of the patch
  int32_t x0;
  int32_t y1;
  int32_t x1;
  uint32_t colour;  // red, green << 8, blue << 16
  int32_t pad;
} AugmentRecipe;
// A block of augment_resize makes a tile of an image. No recipe shrinks an image so much that a
// filter needs more than AUGMENT_TAPS taps.
enum { AUGMENT_TILE_W = 64, AUGMENT_TILE_H = 16, AUGMENT_TAPS = 65 };
typedef struct {
  const uint8_t* regions;
  const AugmentRecipe* recipes;  // for each image
  uint8_t* pixels;               // images x h x w x channels
  uint32_t* sums;                // of brightness, for each block, if a recipe has contrast
  int32_t h;
  int32_t w;
  int32_t channels;  // 1 or 3
  int32_t tiles;     // per image
} AugmentResizeParams;
typedef struct {
  const uint8_t* pixels;  // from augment_resize
  const AugmentRecipe* recipes;
  const uint32_t* sums;
  const float* scale;  // as in NormalizeParams
  const float* shift;
  View y;
  int32_t h;
  int32_t w;
  int32_t channels;
  int32_t padded;  // channels of y; those beyond `channels` become 0
  int32_t tiles;
  int32_t blocks;  // per image
} AugmentStoreParams;

// ---- scale ----------------------------------------------------------------------------------------------------------
typedef struct {
  View x;
  View y;
  int32_t rows;
  int32_t cols;
  float factor;
  int32_t accumulate;
} ScaleParams;

// ---- add ------------------------------------------------------------------------------------------------------------
typedef struct {
  View xs[MAX_ADDENDS];
  View y;
  float factors[MAX_ADDENDS];
  int32_t count;
  int32_t rows;
  int32_t cols;
  int32_t relu;
} AddParams;
typedef struct {
  View y;  // null: no ReLU
  View dy;
  View dxs[MAX_ADDENDS];
  float factors[MAX_ADDENDS];
  int32_t accumulate[MAX_ADDENDS];
  int32_t count;
  int32_t rows;
  int32_t cols;
  int32_t pad;
} AddBackwardParams;

// ---- relu -----------------------------------------------------------------------------------------------------------
typedef struct {
  View x;
  View y;
  int32_t rows;
  int32_t cols;
} ReLUParams;
typedef struct {
  View y;
  View dy;
  View dx;
  int32_t rows;
  int32_t cols;
  int32_t accumulate;
  int32_t pad;
} ReLUBackwardParams;

// ---- dropout --------------------------------------------------------------------------------------------------------
typedef struct {
  View x;
  View y;
  const RunState* run;
  uint32_t node;   // graph.NodeKey
  uint32_t limit;  // P·2^32
  float scale;     // 1/(1-P)
  int32_t rows;
  int32_t cols;
  int32_t accumulate;
} DropoutParams;

// ---- affine ---------------------------------------------------------------------------------------------------------
typedef struct {
  View x;
  View y;
  const float* scale;  // optional
  const float* shift;
  int32_t rows;
  int32_t cols;
  int32_t relu;
  int32_t pad;
} AffineParams;

// ---- bias -----------------------------------------------------------------------------------------------------------
typedef struct {
  View dy;
  float* db;
  double* partial;  // gridDim.x · cols
  uint32_t* counters;
  const RunState* run;
  int32_t rows;
  int32_t cols;
  int32_t accumulate;
  int32_t pad;
} BiasBackwardParams;

// ---- probe ----------------------------------------------------------------------------------------------------------
typedef struct {
  View x;
  double* y;        // 2 · cols: sums of squares, then numbers of values not above zero
  double* partial;  // gridDim.x · 2 · cols
  uint32_t* counters;
  int32_t rows;
  int32_t cols;
} ProbeParams;

// ---- batchnorm ------------------------------------------------------------------------------------------------------
// BatchNormFinal is what the last block of a sum needs to finish the statistics of a batch
// normalisation.
typedef struct {
  const float* gamma;
  const float* beta;
  float* running_mean;
  float* running_var;
  float* mean;
  float* invstd;
  float* scale;
  float* shift;
  double eps;
  double momentum;
} BatchNormFinal;
typedef struct {
  View x;
  double* partial;  // gridDim.x · 2 · cols
  uint32_t* counters;
  BatchNormFinal final;
  int32_t rows;
  int32_t cols;
} BatchNormSumsParams;
typedef struct {
  const float* sums;  // parts · 2 · cols: sums and sums of squares
  double* partial;    // gridDim.x · 2 · cols
  uint32_t* counters;
  BatchNormFinal final;
  int32_t parts;
  int32_t rows;
  int32_t cols;
  int32_t pad;
} BatchNormFinalizeParams;
typedef struct {
  View x;
  View dy;
  const float* mean;
  const float* invstd;
  const float* scale;
  const float* shift;
  float* dgamma;        // optional
  float* dbeta;         // optional
  float* coefficients;  // 2 · cols: dx = scale·g + b·x + c
  double* partial;      // gridDim.x · 2 · cols
  uint32_t* counters;
  const RunState* run;
  int32_t rows;
  int32_t cols;
  int32_t relu;
  int32_t accumulate;
} BatchNormReduceParams;
typedef struct {
  View x;
  View dy;
  View dx;
  const float* scale;
  const float* shift;
  const float* coefficients;
  int32_t rows;
  int32_t cols;
  int32_t relu;
  int32_t accumulate;
} BatchNormApplyParams;
typedef struct {
  const float* gamma;
  const float* beta;
  const float* mean;
  const float* var;
  float* scale;
  float* shift;
  double eps;
  int32_t cols;
  int32_t pad;
} BatchNormFoldEntry;
typedef struct {
  const BatchNormFoldEntry* entries;  // for each block, in device memory
} BatchNormFoldParams;

// ---- maxpool and avgpool --------------------------------------------------------------------------------------------
// Window is the geometry of a pooling or convolution: n images of h x w pixels become images of p x
// q.
typedef struct {
  int32_t n;
  int32_t h;
  int32_t w;
  int32_t p;
  int32_t q;
  int32_t kh;
  int32_t kw;
  int32_t stride_h;
  int32_t stride_w;
  int32_t top;
  int32_t left;
  int32_t bottom;
  int32_t right;
  int32_t include_pad;  // averages divide by the number of taps inside image and padding
} Window;
typedef struct {
  View x;
  View y;
  View index;  // optional
  Window win;
  int32_t cols;
  int32_t pad;
} MaxPoolParams;
typedef struct {
  View dy;
  View index;
  View dx;
  Window win;
  int32_t cols;
  int32_t accumulate;
} MaxPoolBackwardParams;
typedef struct {
  View x;
  View y;
  Window win;  // adaptive pooling reads only n, h, w, p, q
  int32_t cols;
  int32_t adaptive;
} AvgPoolParams;
typedef struct {
  View dy;
  View dx;
  Window win;
  int32_t cols;
  int32_t adaptive;
  int32_t accumulate;
  int32_t pad;
} AvgPoolBackwardParams;

// ---- lrn ------------------------------------------------------------------------------------------------------------
typedef struct {
  View x;
  View y;
  View base;  // optional
  int32_t rows;
  int32_t cols;
  int32_t size;
  float k;
  float alpha;  // divided by size
  float beta;
} LRNParams;
typedef struct {
  View x;
  View base;
  View dy;
  View dx;
  int32_t rows;
  int32_t cols;
  int32_t size;
  float factor;  // 2·alpha·beta/size
  float beta;
  int32_t accumulate;
} LRNBackwardParams;

// ---- softmax_cross_entropy ------------------------------------------------------------------------------------------
typedef struct {
  View logits;
  View dlogits;  // optional
  View teacher;  // optional: the logits that the head also learns from; no dlogits overwrites them
  int32_t classes;
  float smoothing;
  int32_t index;      // index of the head in RunState.head_weight and StepMetrics.heads
  float distill;      // the teacher's share of the loss
  float temperature;  // of the distillation
  int32_t pad;
} LossHead;
typedef struct {
  LossHead heads[MAX_HEADS];
  const int32_t* labels;
  float* row_loss;    // heads x rows
  int32_t* row_rank;  // heads x rows
  uint32_t* counter;  // 0 before the first launch and after each launch
  const RunState* run;
  StepMetrics* metrics;
  int32_t count;  // heads
  int32_t rows;
  int32_t ignore;  // rows with this label take no part
  int32_t pad;
} SoftmaxCrossEntropyParams;

// ---- optimizer ------------------------------------------------------------------------------------------------------
// Chunk is a range of one parameter, which one block updates. Ranges begin at multiples of 4
// elements.
typedef struct {
  int64_t offset;  // in the arenas
  int32_t count;
  float lr_scale;
  float decay;  // weight decay
  int32_t trained;  // 0: only the moving average follows the value
} Chunk;
// UpdateScalars pass from gradient_norm to update.
typedef struct {
  float clip;  // factor of every gradient
  int32_t nonfinite;
} UpdateScalars;
typedef struct {
  const float* gradient;
  const Chunk* chunks;  // the trained ones, for each block
  double* partial;      // gridDim.x
  uint32_t* counter;
  const RunState* run;
  StepMetrics* metrics;
  UpdateScalars* scalars;
  double max_norm;  // 0: no clipping
} GradientNormParams;

// ---- compare --------------------------------------------------------------------------------------------------------
typedef struct {
  const float* a;
  const float* b;
  const Chunk* chunks;  // for each block
  double* y;            // 3 · gridDim.x: for each chunk the sums of a·b, a² and (a-b)²
} CompareParams;
enum { RULE_SGD, RULE_RMSPROP, RULE_RMSPROP_TF, RULE_ADAMW };
typedef struct {
  float* value;
  const float* gradient;
  float* slot0;    // SGD: momentum; RMSProp: mean square; AdamW: first moment
  float* slot1;    // RMSProp: momentum; AdamW: second moment
  float* average;  // optional
  uint16_t* bf16;  // optional: a copy of the new value for tensor cores
  const Chunk* chunks;
  const RunState* run;
  const UpdateScalars* scalars;
  int32_t rule;
  int32_t nesterov;
  float momentum;
  float alpha_mix;  // RMSProp: 1 - alpha
  float beta1_mix;  // AdamW: 1 - beta1
  float beta2_mix;
  float eps;
  int32_t pad;
} UpdateParams;

// ---- convolution: gpu/conv.h ----------------------------------------------------------------------------------------
// The segments of a launch are sibling convolutions: they share the input and the window, and each
// has its own filters and output. `begin` numbers the filters of all segments: it is a multiple of
// 8 and at least the previous segment's begin + k. `cols` is the last segment's begin + k. Weights
// are (k, kh, kw, c) without gaps, of the same type as the activations. bottom, right and
// include_pad of Window are not used.
enum { MAX_SIBLINGS = 8 };
typedef struct {
  const void* w;
  View y;
  float* partial;      // optional: (ceil(n·p·q/BM), 2, k): sums and sums of squares
  const float* scale;  // optional
  const float* shift;  // optional
  const float* bias;   // optional
  int32_t k;
  int32_t begin;
  int32_t relu;
  int32_t pad;
} ConvForwardSegment;
// TensorMap is the driver's CUtensorMap. It lies in a kernel's parameters, which are new to the GPU
// with every launch. A multiprocessor caches the tensor maps that it has read by their addresses,
// so one in global memory would need a fence.
typedef struct {
  alignas(64) uint64_t opaque[16];
} TensorMap;
typedef struct {
  TensorMap maps[MAX_SIBLINGS];  // each segment's w, as k rows in boxes of 64 x 8, for conv_forward_tma
  View x;
  ConvForwardSegment segments[MAX_SIBLINGS];
  Window win;
  int32_t c;
  int32_t count;  // segments
  int32_t cols;
  int32_t pad[11];
} ConvForwardParams;
typedef struct {
  const void* w;
  View dy;
  int32_t k;
  int32_t pad;
} ConvDataSegment;
typedef struct {
  View dx;
  ConvDataSegment segments[MAX_SIBLINGS];
  Window win;
  int32_t c;
  int32_t count;
  int32_t accumulate;
  int32_t pad;
} ConvBackwardDataParams;
typedef struct {
  View dy;
  float* dw;
  float* db;        // optional
  int64_t weights;  // where this segment's dw begins in a part of `partial`: a multiple of 4
  int64_t biases;   // where its db begins
  int32_t k;
  int32_t begin;
} ConvFilterSegment;
typedef struct {
  View x;
  ConvFilterSegment segments[MAX_SIBLINGS];
  float* partial;  // gridDim.y parts of `part` floats; null if gridDim.y is 1
  const RunState* run;
  int64_t part;    // a multiple of 4
  Window win;
  int32_t c;
  int32_t readable;  // channels of x that may be read: c, or more if the channels from c on hold zeros
  int32_t count;
  int32_t cols;
  int32_t parts;   // gridDim.y of conv_backward_filter
  int32_t pixels;  // per part; the last part may have fewer
  int32_t accumulate;
  int32_t pad;
} ConvBackwardFilterParams;
