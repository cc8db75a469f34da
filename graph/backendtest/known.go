package backendtest

// networks are listings of networks that once failed, or could fail. RunNetworks tries all of them.
var networks = []struct{ name, listing string }{
	{"sum of one twice", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
s = add a a
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"sum of a factor twice", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
f = scale a factor=0.3
s = add f f a
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"sum of two factors of one", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
b/conv = conv stem filters=6 window=3x3 pads=same
b/bias = bias b/conv
b = relu b/bias
f = scale a factor=0.3
g = scale a factor=-0.5
s = add f g b
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"sum of a factor of a factor", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
b/conv = conv stem filters=6 window=3x3 pads=same
b/bias = bias b/conv
b = relu b/bias
f = scale a factor=0.5
g = scale f factor=0.3
s = add g b
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"sum of a factor of what others read", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
f = scale stem factor=0.5
s = add f a
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"kept addend", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
b/conv = conv stem filters=6 window=3x3 pads=same
b/bias = bias b/conv
b = relu b/bias
f = scale b factor=0.25
s = add a f
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
keep a
`},
	{"kept factor", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
b/conv = conv stem filters=6 window=3x3 pads=same
b/bias = bias b/conv
b = relu b/bias
f = scale b factor=0.25
s = add f a
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
keep f
`},
	{"kept sum", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
b/conv = conv stem filters=6 window=3x3 pads=same
b/bias = bias b/conv
b = relu b/bias
s = add a b
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
keep s
`},
	{"addend in concatenations", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
b/conv = conv stem filters=6 window=3x3 pads=same
b/bias = bias b/conv
b = relu b/bias
c/conv = conv stem filters=6 window=3x3 pads=same
c/bias = bias c/conv
c = relu c/bias
inner = concat a c
f = scale b factor=0.5
s = add a f
r = relu s
outer = concat inner r
main/gap = adaptive_avgpool outer bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"head behind a concatenation", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
b/conv = conv stem filters=6 window=3x3 pads=same
b/bias = bias b/conv
b = relu b/bias
c/conv = conv stem filters=6 window=3x3 pads=same
c/bias = bias c/conv
c = relu c/bias
k = concat a c
main/gap = adaptive_avgpool k bins=1x1
main/fc = linear main/gap features=4
head main main/fc
s = add a b
r = relu s
aux/gap = adaptive_avgpool r bins=1x1
aux/fc = linear aux/gap features=4
head aux aux/fc
`},
	{"sum with a concatenation of its addend", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
k = concat a
s = add a k
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"heads in a residual block", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
inner/conv = conv a filters=6
inner = bias inner/conv
f = scale inner factor=0.3
s = add a f
r = relu s
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
aux1/gap = adaptive_avgpool f bins=1x1
aux1/fc = linear aux1/gap features=4
head aux1 aux1/fc
aux2/gap = adaptive_avgpool s bins=1x1
aux2/fc = linear aux2/gap features=4
head aux2 aux2/fc
aux3/gap = adaptive_avgpool inner bins=1x1
aux3/fc = linear aux3/gap features=4
head aux3 aux3/fc
`},
	{"batch normalisation of a concatenation whose input goes on", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
n = batchnorm c eps=0.1
y = conv n filters=3
s = add a y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"ReLU of a concatenation whose input goes on", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
n = relu c
y = conv n filters=3
s = add a y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"bias of a concatenation whose input goes on", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
n = bias c
y = conv n filters=3
s = add a y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"factor of a concatenation whose input goes on", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
n = scale c factor=0.37
y = conv n filters=3
s = add a y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"dropout of a concatenation whose input goes on", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
n = dropout c p=0.4
y = conv n filters=3
s = add a y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"sum of concatenations whose inputs go on", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
d = concat b a
t = add c d
y = conv t filters=3
s = add a y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"batch normalisation of a concatenation of concatenations", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
i = concat a b
c = concat i a
n = batchnorm c eps=0.1
y = conv n filters=7
s = add i y
z = conv s filters=3
t = add a z
main/gap = adaptive_avgpool t bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"chain of works in place behind a concatenation", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat b a
n = bias c
f = scale n factor=0.37
m = batchnorm f eps=0.1
r = relu m
o = dropout r p=0.2
y = conv o filters=4
s = add b y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"head that begins with batch normalisation on a concatenation", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
n = batchnorm c eps=0.1
r = relu n
aux/gap = adaptive_avgpool r bins=1x1
aux/fc = linear aux/gap features=4
head aux aux/fc
y = conv c filters=3
s = add y a
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
`},
	{"logits in a concatenation", `
data seed=1 batch=2 image=6x5x3
p = adaptive_avgpool image bins=1x1
a = linear p features=4
b = linear p features=3
c = concat a b
n = batchnorm c eps=0.1
m = linear n features=4
head main m
head aux a weight=0.5
`},
	{"logits that are a concatenation of logits", `
data seed=1 batch=2 image=6x5x3
a = linear image features=4
c = concat a
head main c
head aux a weight=0.5
`},
	{"probes of a concatenation whose input goes on", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3 window=3x3 pads=same
b = conv image filters=4
c = concat a b
y = conv c filters=3
s = add a y
main/gap = adaptive_avgpool s bins=1x1
main/fc = linear main/gap features=4
head main main/fc
probe d(c)
probe d(a)
probe c
`},
	{"trained bias of a frozen filter", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3
b = bias a
r = relu b
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
freeze a/weight
`},
	{"trained biases of frozen siblings", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3
b = bias a
c = conv image filters=5
d = bias c
e = conv image filters=2
k = concat b d e
main/gap = adaptive_avgpool k bins=1x1
main/fc = linear main/gap features=4
head main main/fc
freeze a/weight
freeze c/weight
`},
	{"frozen gamma behind a frozen filter", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3
n = batchnorm a eps=0.1
r = relu n
main/gap = adaptive_avgpool r bins=1x1
main/fc = linear main/gap features=4
head main main/fc
freeze a/weight
freeze n/gamma
`},
	{"nothing trained but a head", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
a/conv = conv stem filters=6 window=3x3 pads=same
a/bias = bias a/conv
a = relu a/bias
main/gap = adaptive_avgpool a bins=1x1
main/fc = linear main/gap features=4
head main main/fc
freeze stem/conv/weight
freeze stem/bias/bias
freeze a/conv/weight
freeze a/bias/bias
`},
	{"nothing trained", `
data seed=1 batch=2 image=6x5x3
fc = linear image features=4
head main fc
freeze fc/weight
`},
	{"frozen head that learns from the main one", `
data seed=1 batch=2 image=6x5x3
a = linear image features=4
b = linear image features=4
head main a
head aux b distill=0.4
freeze b/weight
`},
	{"siblings that not all heads need", `
data seed=1 batch=2 image=6x5x3
a = conv image filters=3
b = conv image filters=4
c = conv image filters=2
d = concat a b
e = concat b c
main/gap = adaptive_avgpool d bins=1x1
main/fc = linear main/gap features=4
head main main/fc
aux1/gap = adaptive_avgpool e bins=1x1
aux1/fc = linear aux1/gap features=4
head aux1 aux1/fc
aux2/gap = adaptive_avgpool c bins=1x1
aux2/fc = linear aux2/gap features=4
head aux2 aux2/fc
`},
	{"dropout as logits", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
p = adaptive_avgpool stem bins=1x1
fc = linear p features=4
o = dropout fc p=0.4
head main o
head aux fc weight=0.3
`},
	{"watched dropout", `
data seed=1 batch=2 image=6x5x3
stem/conv = conv image filters=6 window=3x3 pads=same
stem/bias = bias stem/conv
stem = relu stem/bias
o = dropout stem p=0.4
q = dropout o p=0.2
z = dropout q p=0
main/gap = adaptive_avgpool z bins=1x1
main/fc = linear main/gap features=4
head main main/fc
aux/gap = adaptive_avgpool stem bins=1x1
aux/fc = linear aux/gap features=4
head aux aux/fc
keep o
keep z
probe q
probe d(o)
probe d(z)
`},
	{"averages of windows that hang over their padding", `
data seed=1 batch=2 image=7x6x3
stem = conv image filters=5
a = avgpool stem window=3x3 stride=2x2 pads=0,1,0,1 ceil=1 padding=counts
b = avgpool a window=2x3 stride=2x2 pads=0,0,1,0 ceil=1 padding=counts
c = avgpool a window=3x2 stride=2x2 pads=1,0,0,0 ceil=1
d = maxpool stem window=3x3 stride=2x2 pads=0,1,0,1 ceil=1
b/gap = adaptive_avgpool b bins=1x1
c/gap = adaptive_avgpool c bins=1x1
d/gap = adaptive_avgpool d bins=1x1
k = concat b/gap c/gap d/gap
main/fc = linear k features=4
head main main/fc
probe d(stem)
keep a
`},
}
