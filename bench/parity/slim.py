"""timm's Inception v4 and Inception-ResNet v2 with TF-slim's auxiliary head, which timm leaves out. The head is an independent
implementation for comparison with Tributary's. Dropout is left out."""
import torch.nn.functional as F
from torch import nn


class Conv(nn.Module):
    def __init__(self, i, o, kernel):
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Head(nn.Module):
    def __init__(self, i, side):
        """side: height and width of the map that the head reads. The second convolution covers the whole map after the pooling."""
        super().__init__()
        self.conv0 = Conv(i, 128, 1)
        self.conv1 = Conv(128, 768, (side - 5) // 3 + 1)
        self.fc = nn.Linear(768, 1000)

    def forward(self, x):
        return self.fc(self.conv1(self.conv0(F.avg_pool2d(x, 5, 3))).flatten(1))


def with_head(name, size):
    """Returns the network for images of size². The head is its module AuxLogits, which runs with the network."""
    from timm.models.inception_resnet_v2 import InceptionResnetV2
    from timm.models.inception_v4 import InceptionV4
    side = size
    for kernel, stride, padding in [(3, 2, 0), (3, 1, 0), (3, 1, 1), (3, 2, 0), (3, 1, 0), (3, 2, 0), (3, 2, 0)]:  # down to the 17² of 299²
        side = (side + 2 * padding - kernel) // stride + 1
    model, channels, at = {
        "inception_v4": lambda: (InceptionV4(), 1024, lambda m: m.features[17]),
        "inception_resnet_v2": lambda: (InceptionResnetV2(), 1088, lambda m: m.repeat_1),
    }[name]()
    model.AuxLogits = Head(channels, side)

    def run_head(module, inputs, output):
        model.AuxLogits(output)

    at(model).register_forward_hook(run_head)
    return model
