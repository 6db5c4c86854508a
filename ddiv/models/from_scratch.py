"""Networks trained from scratch: torchvision's classifiers, a ResNet-18 for small images, and a
small AlexNet.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models
from torchvision.models.resnet import BasicBlock

from ddiv.errors import TrialFailed


def torchvision_classifier(name: str, classes: int) -> tuple[nn.Module, nn.Linear]:
    """torchvision's classifier of this name with fresh weights, in two: the rest, and its last
    linear layer to (n, classes).

    Dropout of its own is switched off: here it is a treatment. Raises TrialFailed on names that
    torchvision doesn't have, and on architectures that don't end in a linear layer or have
    auxiliary classifiers.
    """
    if name not in (known := models.list_models(module=models)):
        raise TrialFailed(f"torchvision has no classifier {name!r}; it has: {', '.join(known)}")
    model = models.get_model(name, weights=None, num_classes=classes)
    linear = [
        (path, module) for path, module in model.named_modules() if isinstance(module, nn.Linear)
    ]
    if not linear or linear[-1][1].out_features != classes or getattr(model, "aux_logits", False):
        raise TrialFailed(
            f"torchvision's {name} does not end in one linear layer, which is to be the classification layer: "
            "take another architecture, or make it an own model (ddiv.models.own)"
        )
    path, head = linear[-1]
    above, _, last = path.rpartition(".")
    setattr(model.get_submodule(above), last, nn.Identity())
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model, head


def mini_alexnet(width: int, hidden: int) -> nn.Sequential:
    """The small AlexNet of Zhang et al. (2017, arXiv 1611.03530), as Martin and Mahoney train it:
    images to (n, hidden).

    Two 5x5 convolutions (to `width`, then 2 * width channels), each with 3x3 max-pooling, and two
    fully connected layers, fc1 (32 * width, hidden) and fc2 (hidden, hidden), without
    normalisation. The second pooling leaves 4 x 4 positions whatever the image's side (at least 8).
    Weights start Glorot-normal: independent and Gaussian, hence Marchenko-Pastur.
    """
    encoder = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, width, 5, padding=2),
            relu1=nn.ReLU(inplace=True),
            pool1=nn.MaxPool2d(3, stride=2, padding=1),
            conv2=nn.Conv2d(width, 2 * width, 5, padding=2),
            relu2=nn.ReLU(inplace=True),
            pool2=nn.AdaptiveMaxPool2d(4),
            flatten=nn.Flatten(),
            fc1=nn.Linear(32 * width, hidden),
            relu3=nn.ReLU(inplace=True),
            fc2=nn.Linear(hidden, hidden),
            relu4=nn.ReLU(inplace=True),
        )
    )
    for layer in (encoder.conv1, encoder.conv2, encoder.fc1, encoder.fc2):
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    return encoder


class ResNetEncoder(nn.Module):
    """ResNet-18 (He et al. 2016) of torchvision's BasicBlocks, without its classification layer.

    The stem is one 3x3 convolution without pooling, as is usual for images of 16 to 64 pixels;
    layer names, block counts and initialisation are torchvision's. Output: (n, 8 * width).
    """

    def __init__(self, width: int = 64, stem_stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        for i, (before, after) in enumerate(zip(widths, widths[1:]), start=1):
            setattr(self, f"layer{i}", _stage(before, after, stride=1 if i == 1 else 2))
        self.width = widths[-1]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


def _stage(before: int, after: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or before != after:
        shortcut = nn.Sequential(
            nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
        )
    return nn.Sequential(BasicBlock(before, after, stride, shortcut), BasicBlock(after, after))
