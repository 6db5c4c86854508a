"""Each claim of random matrix theory on planted records: spectra of noise and power laws, and
accuracies after truncation.

Where the records say that it holds it is supported, where they say the opposite contradicted, where
they say either by turns inconclusive.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from torch.nn import init

from ddiv.claim.declare import parameters
from ddiv.finding import Finding, Reader, answer
from ddiv.outcome import Spectral, definitions
from ddiv.spectra import mp, phase
from ddiv.treatment import BASELINE, Treatment
from ddiv.trial import trial
from ddiv.trial.store import Record, Store
from tests.support.claim_cases import CASES, DIGITS, Case
from tests.support.claim_worlds import one_study_each

SEEDS = tuple(range(1000, 1008))
WORLDS = {"supported": (True,) * 8, "contradicted": (False,) * 8, "inconclusive": (True, False) * 4}
N, M = 150, 100
LAYERS = [
    {"name": name, "kind": kind, "shape": [N, M, 1], "view": view, "eigenvalues": M}
    for name, kind, view in (
        ("head", "linear", "classifier"),
        ("encoder.fc1", "mlp", "encoder"),
        ("encoder.conv1.flat", "conv-flat", "encoder"),
        ("encoder.conv1.pooled", "conv-pooled", "encoder"),
    )
]


GRID = np.linspace(*mp.bulk_edges(N, M), 4001)
QUANTILES = np.interp((np.arange(M) + 0.5) / M, mp.cdf(GRID, N, M), GRID)


def noise(rng: np.random.Generator) -> np.ndarray:
    """A spectrum that follows the Marchenko-Pastur law, a little differently from seed to seed."""
    return QUANTILES ** (1 + 0.05 * rng.uniform())


def power_law(alpha: float) -> Callable[[np.random.Generator], np.ndarray]:
    """A spectrum of this exponent, or of one very near to it, which differs from seed to seed."""
    return lambda rng: np.sort(
        (1 - (np.arange(M) + 0.5) / M) ** (-1 / (alpha + 0.1 * rng.uniform() - 1))
    )


def bounded(rng: np.random.Generator) -> np.ndarray:
    return np.linspace(1, 2 + 0.1 * rng.uniform(), M)


class Says(NamedTuple):
    """What a record says: its spectra before and after training; accuracies left without tail,
    bulk, random directions.
    """

    before: Callable = noise
    after: Callable = power_law(3)
    left: tuple[float, float, float] = (0.2, 0.9, 0.6)


BATCHES = (2, 4, 8, 32, 64, 128)


def by_batch(rising: bool) -> Callable[[Treatment], Says]:
    def says(arm: Treatment) -> Says:
        rank = BATCHES.index(arm.parts[0].size if arm.parts else 32)
        return Says(after=power_law(2 + 0.5 * (rank if rising else 5 - rank)))

    return says


def to_noise(rising: bool) -> Callable[[Treatment], Says]:
    def says(arm: Treatment) -> Says:
        large = (arm.parts[0].size if arm.parts else 32) >= 32
        return Says(after=noise if large == rising else power_law(3))

    return says


def beyond(rng: np.random.Generator, *edges: float) -> np.ndarray:
    """Noise whose largest eigenvalues lie at these multiples of its edge, more or less."""
    found = noise(rng)
    spikes = found[-1] * (np.array(edges) + 0.02 * rng.uniform(size=len(edges)))
    return np.append(found[: -len(edges)], spikes)


# A spectrum in each of the 5+1 phases, in their order.
IN_PHASE = (
    noise,
    lambda rng: beyond(rng, 1.18),
    lambda rng: beyond(rng, 3.0, 3.5, 4.0),
    lambda rng: 1 - np.log(1 - (np.arange(M) + 0.5) / M) + 0.01 * rng.uniform(),
    power_law(3),
    lambda rng: np.append(np.zeros(M // 10), noise(rng)[M // 10 :]),
)


def all_phases_but(missing: int | None = None) -> Callable[[Treatment], Says]:
    """A phase for each batch size, power laws in place of the missing one."""

    def says(arm: Treatment) -> Says:
        rank = BATCHES.index(arm.parts[0].size if arm.parts else 32)
        return Says(after=IN_PHASE[4 if rank == missing else rank])

    return says


def no_op_only(spectrum: Callable, otherwise: Callable) -> Callable[[Treatment], Says]:
    return lambda arm: Says(after=otherwise if arm.is_baseline else spectrum)


# Claim, and what it is about: what the records say where it holds, and where the opposite does.
HOLDS: dict[tuple[str, str], tuple] = {
    ("mp-at-init", ""): (Says(before=noise), Says(before=power_law(3))),
    ("heavy-tail-trained", "departs"): (Says(after=power_law(3)), Says(after=noise)),
    ("heavy-tail-trained", "pre-trained"): (Says(before=power_law(3)), Says(before=noise)),
    ("heavy-tail-trained", "leads away"): (Says(noise, power_law(3)), Says(power_law(3), noise)),
    ("heavy-tail-trained", "against"): (Says(after=power_law(3)), Says(after=bounded)),
    ("self-regularisation", "after"): (Says(after=power_law(3)), Says(after=noise)),
    ("self-regularisation", "more"): (Says(noise, power_law(3)), Says(power_law(3), noise)),
    ("signal-plus-noise", "without the tail"): (
        Says(left=(0.2, 0.5, 0.5)),
        Says(left=(0.8, 0.5, 0.5)),
    ),
    ("signal-plus-noise", "without the bulk"): (
        Says(left=(0.5, 0.89, 0.5)),
        Says(left=(0.5, 0.7, 0.5)),
    ),
    ("signal-plus-noise", "tail against"): (Says(left=(0.5, 0.5, 0.6)), Says(left=(0.6, 0.5, 0.5))),
    ("batch-phases", "alpha"): (by_batch(rising=True), by_batch(rising=False)),
    ("batch-phases", "phase"): (to_noise(rising=True), to_noise(rising=False)),
    ("batch-phases", "all"): (all_phases_but(), all_phases_but(3)),
    ("clf-tail-after-finetune", "starts"): (Says(before=power_law(6)), Says(before=power_law(3))),
    ("clf-tail-after-finetune", "falls"): (
        Says(power_law(5), power_law(3)),
        Says(power_law(3), power_law(5)),
    ),
    ("clf-tail-after-finetune", "2 to 6"): (Says(after=power_law(3)), Says(after=power_law(7))),
    ("control-random-matrix", ""): (
        no_op_only(power_law(3), noise),
        no_op_only(noise, power_law(3)),
    ),
}

# The embedded studies with a ladder of batch sizes are large; any study with one will do.
WITH_BATCHES = msgspec.structs.replace(
    DIGITS, batches=BATCHES, recipe=msgspec.structs.replace(DIGITS.recipe, batch=32)
)


def cases() -> list[Case]:
    import claims.test_random_matrix as tests

    mine = [
        case
        for case in CASES
        if case.claim.family == "random matrix" and case.claim.id != "batch-phases"
    ]
    phases = [
        test
        for test in vars(tests).values()
        if getattr(getattr(test, "claim", None), "id", "") == "batch-phases"
    ]
    named = [(test, row[1]) for test in phases for row in parameters(test, [WITH_BATCHES])[1]]
    return mine + [
        Case(test.claim, WITH_BATCHES, test.ask(study=WITH_BATCHES, called=name), name)
        for test, name in named
    ]


def record(case: Case, arm: Treatment, seed: int, says: Says) -> Record:
    rng = np.random.default_rng([seed, *map(ord, arm.label)])
    facts = {
        "layers": LAYERS,
        "clean": {"loss": 0.01, "accuracy": 1.0},
        "domains": list(case.study.domains),
        "classes": 10,
        "trajectory": [],
    }
    before, after = (
        np.concatenate([kind(rng) for _ in LAYERS]) for kind in (says.before, says.after)
    )
    arrays = {"eigenvalues/before": before, "eigenvalues/after": after}
    outputs = np.log(np.full((10, 4), 0.25))
    for domain in case.study.domains:
        arrays |= {f"labels/{domain}": np.zeros(10, int), f"log_probabilities/{domain}": outputs}
    if arm.is_baseline:
        facts["trajectory"] = [
            {"epoch": 0.0, "loss": 2.0, "accuracy": 0.1},
            {"epoch": 1.0, **facts["clean"]},
        ]
        arrays["trajectory/eigenvalues"] = np.stack([before, after])
        for domain in case.study.domains:
            arrays[f"trajectory/log_probabilities/{domain}"] = np.stack([outputs] * 2)
        facts["truncated"] = {
            "chance": 0.1,
            "whole": {"id": 0.9},
            "cut": [
                {
                    "tail": tail,
                    "part": part,
                    "removed": removed,
                    "matrices": 3,
                    "with_tail": 3,
                    "directions": 30,
                    "of": 120,
                    "accuracy": {"id": left},
                }
                for tail in ("power-law", "mp-edge")
                for part in ("all", "classifier")
                for removed, left in zip(("tail", "bulk", "random"), says.left)
            ],
        }
    return Record(trial(case.study, arm, seed), facts, arrays)


def said_in(world: str, case: Case) -> list[Says | Callable[[Treatment], Says]]:
    """What the records of each seed say of a case's claim."""
    holds, otherwise = HOLDS[about(case)]
    return [holds if true else otherwise for true in WORLDS[world]]


def about(case: Case) -> tuple[str, str]:
    """The first entry of `HOLDS` that is about this case."""
    return next(
        (claim, variant)
        for claim, variant in HOLDS
        if claim == case.claim.id and case.variant.startswith(variant)
    )


def find(case: Case, world: str, folder: Path) -> Finding:
    reader = Reader(Store(folder))
    for seed, said in zip(SEEDS, said_in(world, case)):
        for arm in {job.treatment for job in case.asked((seed,)).jobs()}:
            made = record(case, arm, seed, said(arm) if callable(said) else said)
            reader.add({made.job: made})
    return answer(case.asked(SEEDS), reader)


@pytest.mark.parametrize("asked", HOLDS, ids=lambda asked: "-".join(filter(None, asked)))
def test_a_claim_comes_out_as_its_records_say(asked, tmp_path):
    """In every variant, each on one study in turn: the records are the same for all studies."""
    wrong = {}
    chosen = [case for case in one_study_each(cases()) if about(case) == asked]
    assert chosen
    for i, (case, world) in enumerate(product(chosen, WORLDS)):
        finding = find(case, world, tmp_path / str(i))
        if finding.evidence.verdict != world or finding.withheld:
            wrong[f"{case}, planted as {world}"] = (finding.evidence.verdict, finding.withheld)
    assert wrong == {}


def test_the_phases_are_named_in_their_order():
    from claims.test_random_matrix import PHASES

    assert PHASES == phase.PHASES
    rng = np.random.default_rng(0)
    assert [phase.phase(made(rng), N, M).name for made in IN_PHASE] == [*PHASES]


# torch's own initialisations of a weight (M, N).
FOLLOW = {
    "linear": lambda weight: init.kaiming_uniform_(weight, a=5**0.5),
    "normal": lambda weight: init.normal_(weight, std=0.02),
    "glorot": init.xavier_uniform_,
}
DEPART = {
    "orthogonal": init.orthogonal_,
    "sparse": lambda weight: init.sparse_(weight, 0.97),
    "low rank": lambda weight: weight.normal_().addmm_(torch.randn(M, 20), torch.randn(20, N)),
}


@pytest.mark.parametrize("start", [*FOLLOW, *DEPART])
def test_some_random_starts_follow_marchenko_pastur_and_some_do_not(start, tmp_path):
    """Whether a classification layer does is a matter of how it is drawn, so the claim can fail."""
    case = next(
        case for case in cases() if case.claim.id == "mp-at-init" and case.variant == "classifier"
    )
    draw, reader = (FOLLOW | DEPART)[start], Reader(Store(tmp_path))

    def drawn(rng: np.random.Generator) -> np.ndarray:
        torch.manual_seed(int(rng.integers(2**32)))
        with torch.no_grad():
            weight = draw(torch.empty(M, N))
        return np.linalg.svd(weight.double().numpy(), compute_uv=False)[::-1] ** 2

    for seed in SEEDS:
        made = record(case, BASELINE, seed, Says(before=drawn))
        reader.add({made.job: made})
    verdict = answer(case.asked(SEEDS), reader).evidence.verdict
    assert verdict == ("supported" if start in FOLLOW else "contradicted")


def test_every_claim_of_the_family_is_here():
    import claims.test_random_matrix as tests

    named = {test.claim.id for test in vars(tests).values() if hasattr(test, "claim")}
    assert {case.claim.id for case in cases()} == named == {claim for claim, _ in HOLDS}


def test_a_layer_without_a_tail_decides_nothing(tmp_path):
    """Truncation of matrices whose power law cannot be relied on says what removing nothing
    does.
    """
    case = next(case for case in cases() if case.variant == "without the tail, all")
    reader = Reader(Store(tmp_path))
    for seed in SEEDS:
        made = record(case, BASELINE, seed, Says())
        for cut in made.facts["truncated"]["cut"]:
            cut["with_tail"] = 1
        reader.add({made.job: made})
    finding = answer(case.asked(SEEDS), reader)
    assert (
        finding.withheld
        and finding.evidence.verdict == "inconclusive"
        and "33%" in finding.caveats[0]
    )


def test_how_much_the_tail_is_stands_beside_what_its_loss_costs(tmp_path):
    case = next(case for case in cases() if case.variant == "without the tail, all")
    reader = Reader(Store(tmp_path))
    for seed in SEEDS:
        made = record(case, BASELINE, seed, Says())
        reader.add({made.job: made})
    caveat = (
        "The tail is 25% of the singular directions of all matrices,"
        " where one is found (mean over seeds)."
    )
    assert caveat in answer(case.asked(SEEDS), reader).caveats


def test_a_bound_means_the_same_under_every_definition():
    """What a claim compares with a bound keeps its unit where the definition changes."""
    units = {
        "mp_ks",
        "mp_bulk_ks",
        "alpha",
        "hill_alpha",
        "hill_alpha_half",
        "mp_departs",
        "regularised",
        "llr_exponential",
        "llr_lognormal",
    }
    for case in cases():
        if "minus" in case.question.unit:
            for outcome in case.question.outcomes():
                if isinstance(outcome, Spectral):
                    assert {one.metric for one in definitions(outcome)} <= units
