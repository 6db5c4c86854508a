"""Networks trained from scratch: torchvision's classifiers, a ResNet-18 and a small AlexNet."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models
from torchvision.models.resnet import BasicBlock

from ddiv.common.errors import TrialFailed


def torchvision_classifier(name: str, classes: int) -> tuple[nn.Module, nn.Linear]:
    """The encoder and the last linear layer, to (n, classes), of torchvision's classifier `name`.

    Weights are fresh. The classifier's own dropout is switched off, because here dropout is a
    treatment. Raises TrialFailed on names that torchvision doesn't have, and on architectures that
    don't end in a linear layer or have auxiliary classifiers.
    """
    if name not in (known := models.list_models(module=models)):
        raise TrialFailed(f"torchvision has no classifier {name!r}; it has: {', '.join(known)}")
    model = models.get_model(name, weights=None, num_classes=classes)
    linear = [
        (path, module) for path, module in model.named_modules() if isinstance(module, nn.Linear)
    ]
    if not linear or linear[-1][1].out_features != classes or getattr(model, "aux_logits", False):
        raise TrialFailed(
            f"torchvision's {name} does not end in one linear layer, which is to be the "
            "classification layer: take another architecture, or make it an own model "
            "(ddiv.models.own)"
        )
    path, head = linear[-1]
    above, _, last = path.rpartition(".")
    setattr(model.get_submodule(above), last, nn.Identity())
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model, head


def mini_alexnet(width: int, hidden: int) -> nn.Sequential:
    """The small AlexNet of Zhang et al. (2017, arXiv 1611.03530), as Martin and Mahoney train it.

    It maps images to features (n, hidden). Two 5x5 convolutions (to `width`, then 2 * width
    channels) have 3x3 max-pooling each. Two fully connected layers follow, fc1 (32 * width, hidden)
    and fc2 (hidden, hidden), without normalisation. The second pooling leaves 4 x 4 positions
    whatever the image's side (at least 8). Weights start Glorot-normal: they are independent and
    Gaussian, so their spectra follow Marchenko and Pastur.
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
    for name in ("conv1", "conv2", "fc1", "fc2"):
        nn.init.xavier_normal_(encoder.get_parameter(f"{name}.weight"))
        nn.init.zeros_(encoder.get_parameter(f"{name}.bias"))
    return encoder


class ResNetEncoder(nn.Module):
    """ResNet-18 (He et al. 2016) of torchvision's BasicBlocks, without its classification layer.

    The stem is one 3x3 convolution without pooling, as is usual for images of 16 to 64 pixels;
    layer names, block counts and initialisation are torchvision's. Output: (n, 8 * width).
    """

    def __init__(self, width: int = 64, stem_stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        self.width = 8 * width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        features: Tensor = x.mean(dim=(2, 3))
        return features


def _stage(before: int, after: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or before != after:
        shortcut = nn.Sequential(
            nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
        )
    return nn.Sequential(BasicBlock(before, after, stride, shortcut), BasicBlock(after, after))
