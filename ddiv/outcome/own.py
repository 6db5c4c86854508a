"""Outcomes of a user's own: three decorators for functions of a study's or a claim's file.

    @of_network(unit="nats", better="lower")
    def sharpness(trained, radius: float = 0.05) -> float: ...

    @of_outputs(unit="", better="lower")
    def brier(log_probabilities, labels) -> float: ...

    @of_spectrum(unit="share of the sum", better="neither")
    def middle(evals, N, M) -> float: ...

A decorated function makes outcomes for claims: `sharpness()` or `sharpness(radius=0.1)`,
`brier("ood")`, `middle("classifier")`. Parameters after the first (after the two, the three) are
its options, and are given by name.

What is `of_network` is computed when a network is trained, so a trial that lacks it is trained
again: name it in the study's `outcomes`, and all claims share their trials. The other two are read
off stored records, of any age. ddiv's own are in `registry`, `calibration` and `spectral`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ddiv.common.digests import source_digest
from ddiv.common.own import know
from ddiv.outcome import calibration as calibration  # it fills the registry, and so does the next
from ddiv.outcome import spectral as spectral
from ddiv.outcome.layers import LAYER_GROUPS, ONE_LAYER, Convolution, Layers
from ddiv.outcome.registry import OF_OUTPUTS, OF_SPECTRUM
from ddiv.study.measures import Better, NetworkOutcome, OwnMeasure, options_of


class OutputsOutcome(OwnMeasure, frozen=True, tag="own-of-outputs"):
    """An outcome of log-probabilities and labels, domain by domain, see `of_outputs`.

    `where` is "id", "ood" or a domain's name; `file` is the name of the file that defines it.
    """

    file: str = ""
    where: str = "id"

    @property
    def label(self) -> str:
        return self.described(self.where)


class SpectrumOutcome(OwnMeasure, frozen=True, tag="own-of-spectrum"):
    """An outcome of eigenvalues, the mean over the layers of a group, see `of_spectrum`.

    `layers` and `convolution` are those of `Spectral`; `file` as in `OutputsOutcome`.
    """

    file: str = ""
    layers: Layers = "all"
    convolution: Convolution = "pooled"

    @property
    def label(self) -> str:
        flat = ", flat convolutions" * (self.convolution == "flat")
        return self.described(self.layers.removeprefix(ONE_LAYER) + flat)


class Maker:
    """What a decorated function becomes: it makes outcomes. `function` is the function itself."""

    makes: type[OwnMeasure]
    # The names of what ddiv gives the function; the user's names for them are free.
    given: tuple[str, ...] = ()
    # The names of what says what an outcome is read over: no options.
    taken: tuple[str, ...] = ()

    def __init__(self, function: Callable[..., Any], unit: str, better: Better) -> None:
        self.function = function
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self.__module__ = function.__module__
        # Claims' files may import it from each other or from the study's, in any order.
        source = source_digest(function, asked_by=False)
        name, self.signature = function.__name__, inspect.signature(function)
        if name in OF_OUTPUTS or name in OF_SPECTRUM:
            raise ValueError(f"ddiv has an outcome called {name}: give yours another name")
        parameters = list(self.signature.parameters.values())
        first, options = parameters[: len(self.given)], parameters[len(self.given) :]
        if (
            len(first) < len(self.given)
            or any(each.kind not in (each.POSITIONAL_ONLY, _POSITIONAL) for each in first)
            or any(each.kind not in (each.KEYWORD_ONLY, _POSITIONAL) for each in options)
            or any(each.name in self.taken for each in options)
        ):
            raise ValueError(
                f"the outcome {name} takes {', '.join(self.given)} and then its options, each by a "
                f"name of its own{''.join(f', but not {word}' for word in self.taken)}, got "
                f"{self.signature}"
            )
        self._fields = {"name": name, "source": source, "unit": unit, "better": better}
        self._file = Path(function.__code__.co_filename).name
        know(self.makes, source, function)

    def __repr__(self) -> str:
        name = self.function.__name__
        return f"<the function {name}, of which {name}({self._call}) makes an outcome>"

    _call = ""

    def _made(self, options: dict[str, Any], unnamed: Sequence[object] = ()) -> dict[str, Any]:
        """The fields of an outcome with these options."""
        name = self.function.__name__
        if unnamed:
            known = [*self.signature.parameters][len(self.given) :]
            before = f"{self._call}, " * bool(self._call)
            raise ValueError(
                f"the options of the outcome {name} go by name: "
                + (
                    f"{name}({before}{known[0]}={unnamed[0]!r:.80})"
                    if known
                    else f"it has none, got {unnamed[0]!r:.80}"
                )
            )
        settled = options_of(f"the outcome {name}", self.signature, options, len(self.given))
        return {**self._fields, "options": settled}


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


class NetworkMaker(Maker):
    """Makes outcomes of trained networks: `sharpness(radius=0.1)`."""

    makes = NetworkOutcome
    given = ("the trained network",)

    def __call__(self, *unnamed: object, **options: Any) -> NetworkOutcome:
        return NetworkOutcome(**self._made(options, unnamed))


class OutputsMaker(Maker):
    """Makes outcomes of outputs: `brier("ood")`."""

    makes = OutputsOutcome
    given = ("log-probabilities", "labels")
    taken = ("where",)
    _call = '"id"'

    def __call__(self, where: str = "id", *unnamed: object, **options: Any) -> OutputsOutcome:
        """`where` is "id" (the first domain), "ood" (the mean over the others) or a domain."""
        if where == "train":
            raise ValueError(
                f"the outcome {self.function.__name__} is read off stored outputs, and those on "
                'the training set are not stored: ask for "id", "ood" or a domain, or make it an '
                "outcome of the network (of_network)"
            )
        return OutputsOutcome(**self._made(options, unnamed), file=self._file, where=where)


class SpectrumMaker(Maker):
    """Makes outcomes of spectra: `middle("classifier")`."""

    makes = SpectrumOutcome
    given = ("eigenvalues", "N", "M")
    taken = ("layers", "convolution")
    _call = '"classifier"'

    def __call__(
        self,
        layers: Layers = "all",
        convolution: Convolution = "pooled",
        *unnamed: object,
        **options: Any,
    ) -> SpectrumOutcome:
        """`layers` is a group of `ddiv.outcome.layers` or "layer:NAME"."""
        _require_group(self.function.__name__, layers)
        made = self._made(options, unnamed)
        return SpectrumOutcome(**made, file=self._file, layers=layers, convolution=convolution)


def _require_group(name: str, layers: object, groups: Sequence[str] = LAYER_GROUPS) -> None:
    one = isinstance(layers, str) and layers.startswith(ONE_LAYER) and layers != ONE_LAYER
    if layers not in groups and not one:
        raise ValueError(
            f"the outcome {name} is read over a group of layers, {', '.join(groups)}, or over one, "
            f"{ONE_LAYER}NAME, got {layers!r:.80}"
        )


MakerT = TypeVar("MakerT", bound=Maker)


def of_network(
    bare: None = None, /, *, unit: str = "", better: Better = "neither"
) -> Callable[[Callable[..., Any]], NetworkMaker]:
    """Make a function of a trained network an outcome.

    The function takes a `ddiv.outcome.TrainedNetwork` and its options, and returns a finite number.
    It leaves the weights as they were, and draws from `trained.draws` only. It is called before
    training, after it, and at each checkpoint of the baseline's. Raises ValueError on a function
    that no file defines at its top level, and on one of the name of an outcome of ddiv's.
    """
    return _decorator(NetworkMaker, bare, unit, better)


def of_outputs(
    bare: None = None, /, *, unit: str = "", better: Better = "neither"
) -> Callable[[Callable[..., Any]], OutputsMaker]:
    """Make a function of log-probabilities (n, classes), float32, and labels (n,), int32, an
    outcome.

    It returns a finite number, and is called for each domain of a stored record, at each state. Its
    arguments are arrays of NumPy, read only. Raises as `of_network`.
    """
    return _decorator(OutputsMaker, bare, unit, better)


def of_spectrum(
    bare: None = None, /, *, unit: str = "", better: Better = "neither"
) -> Callable[[Callable[..., Any]], SpectrumMaker]:
    """Make a function of one matrix's eigenvalues (k,), ascending float64, an outcome.

    It takes the matrix's sides N >= M too, and returns a finite number. k is M; of a convolution's
    pooled slices it is M times their number. It is called for each matrix of a stored record, at
    each state, and an outcome is the mean over the layers of a group. The eigenvalues are an
    array of NumPy, read only. Raises as `of_network`.
    """
    return _decorator(SpectrumMaker, bare, unit, better)


def _decorator(
    kind: type[MakerT], bare: object, unit: str, better: Better
) -> Callable[[Callable[..., Any]], MakerT]:
    if bare is not None:
        raise ValueError(
            'the decorators of outcomes are called: @of_network(unit="nats", better="lower")'
        )
    if not isinstance(unit, str) or better not in ("higher", "lower", "neither"):
        raise ValueError(
            'the unit of an outcome is text, and better is "higher", "lower" or "neither", got '
            f"{unit!r:.80} and {better!r:.80}"
        )
    return lambda function: kind(function, unit, better)
