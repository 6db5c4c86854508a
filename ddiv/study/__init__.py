"""Studies: which dataset, backbone and hyper-parameters a claim is tested on.

Everything here is frozen data without torch. Datasets are in `ddiv.study.datasets`, backbones in
`ddiv.study.backbones`.
"""

from ddiv.study.backbones import (
    AsPublished,
    Backbone,
    Bert,
    BertAsCoded,
    Clip,
    Embedder,
    Gru,
    Lsa,
    MiniAlexNet,
    Mixer,
    OpenClip,
    OwnEmbedder,
    OwnModel,
    Policy,
    ResNet18,
    TorchvisionModel,
)
from ddiv.study.datasets import (
    Arrays,
    CartPole,
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
from ddiv.study.domain_names import require_domain_names
from ddiv.study.experiments import Number, OwnExperiment, experiment
from ddiv.study.measures import NetworkOutcome
from ddiv.study.of_tables import study_of_tables
from ddiv.study.population import Space
from ddiv.study.recipe import Recipe
from ddiv.study.study import MIXED_SHARES, TABLE_SHARES, Study
from ddiv.study.tables import TableArm, Tables, TableSet

__all__ = [
    "MIXED_SHARES",
    "TABLE_SHARES",
    "Arrays",
    "AsPublished",
    "Backbone",
    "Bert",
    "BertAsCoded",
    "CartPole",
    "Clip",
    "Complaints",
    "ComplaintsWorld",
    "Data",
    "Digits",
    "DomainNet",
    "Embedder",
    "Gru",
    "Images",
    "Lsa",
    "MiniAlexNet",
    "Mixer",
    "NetworkOutcome",
    "Number",
    "OpenClip",
    "Own",
    "OwnEmbedder",
    "OwnExperiment",
    "OwnModel",
    "Policy",
    "Published",
    "PublishedName",
    "Recipe",
    "ResNet18",
    "Space",
    "Study",
    "TableArm",
    "TableSet",
    "Tables",
    "TorchvisionModel",
    "Tweets",
    "TwoComplaints",
    "World",
    "experiment",
    "require_domain_names",
    "study_of_tables",
]
