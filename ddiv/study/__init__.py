"""Studies: which dataset, backbone and hyper-parameters a claim is tested on.

Everything here is frozen data without torch. Datasets are in `ddiv.study.datasets`, backbones in
`ddiv.study.backbones`.
"""

from ddiv.study.backbones import (
    Backbone,
    Bert,
    BertAsCoded,
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
    Tweets,
    TwoComplaints,
    World,
)
from ddiv.study.measures import NetworkOutcome
from ddiv.study.study import MIXED_SHARES, TABLE_SHARES, Recipe, Space, Study, require_domain_names

__all__ = [
    "MIXED_SHARES",
    "TABLE_SHARES",
    "Arrays",
    "Backbone",
    "Bert",
    "BertAsCoded",
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
    "OpenClip",
    "Own",
    "OwnEmbedder",
    "OwnModel",
    "Published",
    "PublishedName",
    "Recipe",
    "ResNet18",
    "Space",
    "Study",
    "TorchvisionModel",
    "Tweets",
    "TwoComplaints",
    "World",
    "require_domain_names",
]
