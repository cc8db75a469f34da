"""The GoogLeNet of the 2014 paper in the form of Caffe's bvlc_googlenet, in PyTorch with torchvision's names. It is an independent
implementation for comparison with Tributary's; torchvision has none. Dropout is left out."""
import torch
import torch.nn.functional as F
from torch import nn


class Conv(nn.Module):
    def __init__(self, i, o, **kw):
        super().__init__()
        self.conv = nn.Conv2d(i, o, **kw)

    def forward(self, x):
        return F.relu(self.conv(x))


class Inception(nn.Module):
    def __init__(self, i, c1, r3, c3, r5, c5, p):
        super().__init__()
        self.branch1 = Conv(i, c1, kernel_size=1)
        self.branch2 = nn.Sequential(Conv(i, r3, kernel_size=1), Conv(r3, c3, kernel_size=3, padding=1))
        self.branch3 = nn.Sequential(Conv(i, r5, kernel_size=1), Conv(r5, c5, kernel_size=5, padding=2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), Conv(i, p, kernel_size=1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class Aux(nn.Module):
    def __init__(self, i, side):
        super().__init__()
        self.conv = Conv(i, 128, kernel_size=1)
        self.fc1 = nn.Linear(128 * side * side, 1024)
        self.fc2 = nn.Linear(1024, 1000)

    def forward(self, x):  # Caffe rounds the sizes of pooled maps up
        x = self.conv(F.avg_pool2d(x, 5, 3, ceil_mode=True, count_include_pad=False))
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


class GoogLeNet2014(nn.Module):
    def __init__(self, size=224):
        """size: height and width of the images, on which the heads' fully connected layers depend."""
        super().__init__()
        side = -(-(self.side(size) - 5) // 3) + 1
        self.conv1 = Conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2 = Conv(64, 64, kernel_size=1)
        self.conv3 = Conv(64, 192, kernel_size=3, padding=1)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = Aux(512, side)
        self.aux2 = Aux(528, side)
        self.fc = nn.Linear(1024, 1000)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    @staticmethod
    def side(size):
        """Returns height and width of 4a's output. conv1 rounds down, the three pools round up."""
        size = (size + 6 - 7) // 2 + 1
        for _ in range(3):
            size = -(-(size - 3) // 2) + 1
        return size

    def forward(self, x):
        x = self.norm(self.pool(self.conv1(x)))
        x = self.pool(self.norm(self.conv3(self.conv2(x))))
        x = self.pool(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x)
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x)
        x = self.pool(self.inception4e(x))
        x = self.inception5b(self.inception5a(x))
        return self.fc(x.mean((2, 3))), aux2, aux1
