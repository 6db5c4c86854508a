"""Studies: which dataset, backbone and hyper-parameters a claim is tested on.

Everything here is frozen data without torch. Datasets are in `ddiv.study.datasets`, backbones in
`ddiv.study.backbones`.
"""

from ddiv.study.backbones import (
    Backbone,
    Bert,
    Clip,
    Embedder,
    Lsa,
    MiniAlexNet,
    OpenClip,
    OwnEmbedder,
    OwnModel,
    ResNet18,
    TorchvisionModel,
)
from ddiv.study.datasets import (
    Arrays,
    Complaints,
    ComplaintsWorld,
    Data,
    Digits,
    DomainNet,
    Images,
    Own,
    Published,
    PublishedName,
    World,
)
from ddiv.study.experiments import Number, OwnExperiment, experiment
from ddiv.study.measures import NetworkOutcome
from ddiv.study.study import TABLE_SHARES, Recipe, Space, Study, require_domain_names

__all__ = [
    "TABLE_SHARES",
    "Arrays",
    "Backbone",
    "Bert",
    "Clip",
    "Complaints",
    "ComplaintsWorld",
    "Data",
    "Digits",
    "DomainNet",
    "Embedder",
    "Images",
    "Lsa",
    "MiniAlexNet",
    "NetworkOutcome",
    "Number",
    "OpenClip",
    "Own",
    "OwnEmbedder",
    "OwnExperiment",
    "OwnModel",
    "Published",
    "PublishedName",
    "Recipe",
    "ResNet18",
    "Space",
    "Study",
    "TorchvisionModel",
    "World",
    "experiment",
    "require_domain_names",
]
