"""ddiv: the claims of papers on data diversity and regularisation, checked by training models.

What a study file of a user's needs is here, with its own treatments and outcomes, read when it is
asked for (`import ddiv` imports neither torch nor numpy):

    from ddiv import Images, Recipe, Study, own_model

and what a store holds as rows for pandas or polars:

    import ddiv
    table = pandas.DataFrame(ddiv.findings(".ddiv"))   # records(), measurements()

What a claim's file needs is in `ddiv.claim`, `ddiv.evidence` and `ddiv.outcome`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddiv.data.dataset import Dataset as Dataset
    from ddiv.data.own import of_torch as of_torch
    from ddiv.data.own import own_data as own_data
    from ddiv.export.public import findings as findings
    from ddiv.export.public import measurements as measurements
    from ddiv.export.public import records as records
    from ddiv.models.own import own_model as own_model
    from ddiv.models.own_embedder import own_embedder as own_embedder
    from ddiv.outcome import of_network as of_network
    from ddiv.outcome import of_outputs as of_outputs
    from ddiv.outcome import of_spectrum as of_spectrum
    from ddiv.study import Arrays as Arrays
    from ddiv.study import Bert as Bert
    from ddiv.study import Digits as Digits
    from ddiv.study import Images as Images
    from ddiv.study import OpenClip as OpenClip
    from ddiv.study import Published as Published
    from ddiv.study import Recipe as Recipe
    from ddiv.study import ResNet18 as ResNet18
    from ddiv.study import Study as Study
    from ddiv.study import TorchvisionModel as TorchvisionModel
    from ddiv.treatment import BASELINE as BASELINE
    from ddiv.treatment import Part as Part
    from ddiv.treatment import Setting as Setting
    from ddiv.treatment import Treatment as Treatment
    from ddiv.treatment import own_augmentation as own_augmentation
    from ddiv.treatment import own_generator as own_generator

# The module of each name.
_MODULES = {
    "Arrays": "ddiv.study",
    "BASELINE": "ddiv.treatment",
    "Bert": "ddiv.study",
    "Dataset": "ddiv.data.dataset",
    "Digits": "ddiv.study",
    "Images": "ddiv.study",
    "OpenClip": "ddiv.study",
    "Part": "ddiv.treatment",
    "Published": "ddiv.study",
    "Recipe": "ddiv.study",
    "ResNet18": "ddiv.study",
    "Setting": "ddiv.treatment",
    "Study": "ddiv.study",
    "TorchvisionModel": "ddiv.study",
    "Treatment": "ddiv.treatment",
    "findings": "ddiv.export.public",
    "measurements": "ddiv.export.public",
    "of_network": "ddiv.outcome",
    "of_outputs": "ddiv.outcome",
    "of_spectrum": "ddiv.outcome",
    "of_torch": "ddiv.data.own",
    "own_augmentation": "ddiv.treatment",
    "own_data": "ddiv.data.own",
    "own_embedder": "ddiv.models.own_embedder",
    "own_generator": "ddiv.treatment",
    "own_model": "ddiv.models.own",
    "records": "ddiv.export.public",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ddiv' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
