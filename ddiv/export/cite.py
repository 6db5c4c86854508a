"""How ddiv, the paper and a run are cited."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import metadata

from ddiv.common.printed import one_line
from ddiv.run.run import Run

PAPER = """\
@article{ba2024data,
  title   = {Data Diversity as Implicit Regularization},
  author  = {Ba, Yang and Mancenido, Michelle V. and Pan, Rong},
  journal = {arXiv preprint arXiv:2410.14602},
  year    = {2024},
  url     = {https://arxiv.org/abs/2410.14602}
}"""

OF_DDIV = """\
@software{{ddiv,
  title   = {{ddiv: claims about data diversity and regularisation, checked by training models}},
  author  = {{{{the ddiv authors}}}},
  version = {{{version}}},
  year    = {{{year}}}
}}"""


def version() -> str:
    """The version of ddiv that is installed; "unknown" where it lies on the path alone."""
    try:
        return metadata.version("ddiv")
    except metadata.PackageNotFoundError:
        return "unknown"


def bibtex(year: int) -> str:
    """The entries of ddiv, as of this year, and of the paper."""
    return f"{OF_DDIV.format(version=version(), year=year)}\n\n{PAPER}"


def sentence(run: Run | None, devices: Sequence[str] = ()) -> str:
    """A sentence for a paper: what was checked with what, and how a verdict is reached.

    `devices`: what the run's records were made on. Without a run its numbers are left out.
    """
    if run is None:
        return (
            f"The claims were checked with ddiv {version()} (\\cite{{ddiv}}), which trains the "
            "models and reaches verdicts by betting on paired seeds."
        )
    began = time.strftime("%Y-%m-%d", time.gmtime(run.started))
    first = run.seeds[0]
    seeds = f"{len(run.seeds)} to {max(run.max_seeds, len(run.seeds))} seeds a claim"
    seeds += f" from {first}" if first else ""
    asked = f"{run.asked} questions, " if run.asked is not None else ""
    made = f", records made on {', '.join(map(one_line, devices))}" if devices else ""
    return (
        f"The claims were checked with ddiv {version()} (\\cite{{ddiv}}), profile "
        f"{one_line(run.profile)}, run {run.id} of {began} ({asked}{seeds}{made}); verdicts are "
        f"reached by betting on paired seeds at level {run.alpha:g}."
    )
