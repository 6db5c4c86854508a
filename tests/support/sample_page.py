"""A made-up page for the report's tests: every kind of plot, every verdict, and parts left out here
and there.
"""

from __future__ import annotations

import base64
import collections
import random
import statistics
import struct
import sys
import zlib

import msgspec

from ddiv import evidence
from ddiv.report.figures.pictures import pictures
from ddiv.report.schema import (
    Accuracy,
    ArmPoint,
    BarsPlot,
    Claim,
    ContactSheet,
    Controls,
    CurvesPlot,
    Domain,
    DosePlot,
    Evidence,
    Expected,
    Family,
    FamilyCurves,
    Finding,
    GeneratorSheet,
    Listed,
    OverStudies,
    Page,
    PairedPlot,
    RelationPlot,
    RelationPoint,
    RunFacts,
    SampleRow,
    Series,
    Spent,
    StudyCard,
)
from tests.support.sample_materials import material

SEEDS = (0, 1, 2, 3, 4, 5, 6)
FAMILIES = [
    ("dropout", "Dropout"),
    ("decay", "Weight decay"),
    ("augmentation", "Data augmentation"),
    ("synthetic", "Synthetic images"),
    ("calibration", "Accuracy and calibration"),
    ("controls", "Negative controls"),
]
STATEMENTS = {
    "dropout": [
        "More dropout, larger power-law exponent",
        "More dropout, smaller Frobenius norm",
        "More dropout, larger matrix entropy",
    ],
    "decay": [
        "More weight decay, smaller power-law exponent",
        "More weight decay, smaller matrix entropy",
        "Smaller weight decay shrinks the weights more effectively than larger weight decay does",
    ],
    "augmentation": [
        "Augmentation reduces the Frobenius norm",
        "Augmentation moves the spectrum as dropout does",
    ],
    "synthetic": [
        "A larger synthetic share lowers accuracy",
        "A larger synthetic share lowers embedding diversity",
    ],
    "calibration": [
        "Augmentation raises accuracy out of domain",
        "Augmentation lowers calibration error out of domain",
    ],
    "controls": [
        "A treatment that does nothing changes nothing",
        "Shuffled labels leave no claim supported",
    ],
}
STUDIES = [
    ("clip-world", "Made-up CLIP world"),
    ("resnet-world", "Made-up ResNet world"),
    ("digits", "Made-up digits"),
]
VARIANTS = [
    "classifier",
    "encoder",
    "auto",
    "rand",
    "augmix",
    "trivial",
    "noise30",
    "auto-v2",
    "auto-v3",
    "head only",
]
UNITS = {
    "dropout": "alpha",
    "decay": "alpha",
    "augmentation": "norm",
    "synthetic": "accuracy",
    "calibration": "accuracy",
    "controls": "alpha",
}


DEFINITIONS = ("alpha (classifier)", "alpha (lognormal)", "hill alpha (classifier)", "alpha (flat)")
CAVEATS = ("alpha fits unreliable: 10 eigenvalues", "effect smaller than the step of the measure")


def sample_page(n_claims: int = 14, seed: int = 0) -> Page:
    """A report of `n_claims` claims, about ten findings each, and, beside several, that on a slower
    optimiser; no number in it was measured.
    """
    draw = random.Random(seed)
    claims = tuple(_claim(draw, i) for i in range(n_claims))
    claims = (*claims, _slower(draw)) if n_claims > 1 else claims
    tested = [
        f for claim in claims if not claim.guards for f in claim.findings if f.evidence is not None
    ]
    materials = [
        material(draw, study, tower, study != "digits")
        for (study, _), tower in zip(STUDIES, ("clip vit", "clip resnet", "resnet18"))
    ]
    return Page(
        title="Data diversity and regularisation, checked",
        subtitle="A sample page: every number on it is made up",
        generated="2026-01-31T12:34:56+00:00",
        profile="sample",
        command="pytest claims -n 2 --profile sample",
        alpha=0.05,
        seeds=SEEDS[:3],
        run=RunFacts(
            seconds=5025.0,
            trials_trained=212,
            trials_reused=48,
            seconds_per_trial=23.7,
            workers=2,
            device="cpu",
        ),
        studies=tuple(_study(id, title) for id, title in STUDIES),
        families=tuple(Family(id, title) for id, title in FAMILIES),
        claims=claims,
        controls=_controls(claims),
        over_studies=tuple(_over_studies(claims)),
        curves=tuple(_curves(draw, study) for study, _ in STUDIES),
        spent=Spent(
            first=3,
            most=7,
            budget=1800.0,
            trials=194,
            fixed=239,
            by_seeds=tuple(sorted(collections.Counter(f.evidence.n for f in tested).items())),
        ),
        listed=_listed(tested),
        materials=tuple(materials),
        pictures=pictures(materials),
        generators=(_generator(draw),),
        contact_sheets=(
            ContactSheet(
                study="clip-world",
                caption="Made-up images; a row for each augmentation.",
                image=_png(draw),
            ),
            ContactSheet(study="digits", caption="A sheet whose image is missing."),
        ),
        settings=(
            ("alpha fit", "maximum likelihood, xmin by Kolmogorov–Smirnov"),
            ("entropy", "raw sum (v1)"),
            ("ECE bins", 15),
        ),
        versions=(("python", "3.13.1"), ("torch", "2.11.0"), ("ddiv", None)),
        hardware=(("cpu", "2 cores"), ("memory", "8 GiB")),
        warnings=(
            "This page is a sample.",
            "digits: 10 classes, so alpha is fitted to 10 eigenvalues.",
        ),
    )


def _claim(draw, i):
    family, _ = FAMILIES[i % len(FAMILIES)]
    statements = STATEMENTS[family]
    again = i // len(FAMILIES)
    id = f"{family}-{again}"
    studies = STUDIES if i % 5 else STUDIES[:2]
    variants = VARIANTS[: 1 + (i * 3) % 7] if i % 4 else ["classifier"]
    direction = draw.choice(["rises", "falls"])
    findings = tuple(
        _finding(draw, id, family, study, variant, i)
        for study, _ in studies
        for variant in variants
    )
    described = i % 6 != 5
    return Claim(
        id=id,
        family=family,
        statement=statements[again % len(statements)],
        source="v1 3.2, fig 3" if described else "",
        direction=direction if described else None,
        command=f"pytest claims -k {id}",
        findings=findings,
        guards=FAMILIES[again % 5][0] if family == "controls" else "",
    )


def _controls(claims):
    """The last family has none."""
    verdicts = collections.defaultdict(list)
    for claim in claims:
        if claim.guards:
            verdicts[claim.guards] += [f.verdict for f in claim.findings]
    return {
        family: Controls(sum(word != "supported" for word in words), len(words))
        for family, words in verdicts.items()
    }


def _listed(tested):
    chosen = evidence.ebh([2 * f.evidence.e_for for f in tested]) if tested else ()
    return Listed(alpha=0.05, of=len(tested), tests=tuple(tested[i].test for i in chosen))


def _over_studies(claims):
    for claim in claims:
        by_variant = collections.defaultdict(dict)
        for f in claim.findings:
            if f.evidence:
                by_variant[f.variant][f.study] = f.evidence
        for variant, group in () if claim.guards else by_variant.items():
            verdicts = [e.verdict for e in group.values()]
            e_against = statistics.mean(e.e_against for e in group.values())
            verdict = "contradicted" if e_against >= 20 else "inconclusive"
            yield OverStudies(
                claim=claim.id,
                variant=variant,
                e_for=min(e.e_for for e in group.values()),
                e_against=e_against,
                verdict="supported" if set(verdicts) == {"supported"} else verdict,
                studies=dict(zip(group, verdicts)),
            )


MEMBERS = ("baseline", "rate x 0.25", "rate x 0.5", "rate x 2", "length x 0.4", "length x 1.5")


def _curves(draw, study):
    x = (0.0, 1.6, 0.7, -0.6, 1.2, -0.5)
    seeds = SEEDS[:5]
    return FamilyCurves(
        study=study,
        members=MEMBERS,
        rates=(1, 2, 0, 3),
        lengths=(4, 0, 5),
        seeds=seeds,
        x=tuple(tuple(a + draw.gauss(0, 0.1) * bool(a) for a in x) for _ in seeds),
        y=tuple(tuple(0.5 * a + draw.gauss(0, 0.1) * bool(a) for a in x) for _ in seeds),
        margin=0.1,
        best=2 if study == "digits" else None,
    )


def _slower(draw):
    """The claim on a slower optimiser, of three outcomes."""
    id = "q-fit-or-regularisation"
    findings = []
    for study, _ in STUDIES:
        for variant in ("alpha", "entropy", "frobenius"):
            claimed, specific = _evidence(draw, 1.0, "alpha"), _evidence(draw, 0.0, "alpha", 5)
            findings.append(
                Finding(
                    test=f"claims/test_controls.py::test_slower[{study}-{variant}]",
                    study=study,
                    variant=variant,
                    verdict=claimed.verdict,
                    evidence=claimed,
                    specific=specific,
                )
            )
    return Claim(
        id=id,
        family="controls",
        statement="A slower optimiser alone moves the spectrum as treatments are said to.",
        findings=tuple(findings),
    )


def _finding(draw, claim, family, study, variant, i):
    finding = Finding(
        test=f"claims/test_{family}.py::test_{claim.replace('-', '_')}[{study}-{variant}]",
        study=study,
        variant=variant,
        command=f"pytest claims -k '{claim} and {study} and {variant}'",
        trials=tuple(f"{draw.getrandbits(40):010x}" for _ in range(10)),
    )
    luck = draw.random()
    if luck < 0.05:
        note = "This backbone has no layer of that kind."
        return msgspec.structs.replace(finding, verdict="not applicable", note=note)
    if luck < 0.08:
        return Finding(study=study, verdict="not run")
    truth = draw.gauss(0.6, 1) * (0.05 if family == "controls" else 1)
    if (claim, study, variant) == ("controls-0", "resnet-world", "classifier"):
        truth = 1.0  # a control that fails
    shown = _evidence(draw, truth, UNITS[family])
    beyond = note = None
    if luck < 0.8:
        beyond = _evidence(draw, truth * draw.uniform(-0.3, 0.9), UNITS[family], shown.n)
        note = draw.choice([None, None, None, f"cannot be matched at 1 of {shown.n} seeds"])
    kind = ["dose", "paired", "bars", "relation", "decay", None][i % 6]
    return msgspec.structs.replace(
        finding,
        verdict=shown.verdict,
        evidence=shown,
        specific=beyond,
        specific_note=note,
        negligible=abs(shown.effect) < 0.2,
        expected=(known := _expected(draw, family, shown.verdict)),
        standing=_standing(draw, family, shown.verdict, known),
        definitions=_definitions(draw, shown.verdict) if UNITS[family] == "alpha" else (),
        caveats=CAVEATS if study == "digits" else (),
        explained=""
        if shown.verdict == "supported"
        else "3 of 5 seeds agree with the claim, 2 go against it.",
        derived=(("largest share at which nothing is lost", 0.5, 0.25, 0.7),) if i == 2 else (),
        plot=_plot(draw, kind, truth, beyond is not None),
        curves=_beside(draw, study, truth) if beyond and i % 2 else None,
    )


def _expected(draw, family, verdict):
    listed = {"contradicted": 0.7, "inconclusive": 0.1, "supported": 0.02}[verdict]
    if family == "controls" or draw.random() >= listed:
        return None
    known = draw.random() < 0.9 and verdict != "supported"
    return Expected(
        verdict if known else "contradicted",
        "2026-01-15",
        "In a saturated regime the sign of this effect is the opposite one.",
    )


def _standing(draw, family, verdict, known):
    if family == "controls":
        return "sure" if verdict == "supported" else ""
    if known and known.verdict == verdict:
        return "expected"
    if verdict == "contradicted" or (known and verdict == "supported"):
        return draw.choice(["sure", "unexpected"])
    return "weakened" if known else ""


def _definitions(draw, verdict):
    others = [verdict if draw.random() < 0.9 else "inconclusive" for _ in DEFINITIONS[1:]]
    return tuple(zip(DEFINITIONS, [verdict, *others]))


def _evidence(draw, truth, unit, n=None):
    """Effects about `truth`, seed after seed until a verdict falls, but three and, unless `n` are
    asked for, seven at most.
    """
    effects, judged = [], None
    while (
        judged is None
        or len(effects) < (n or 3)
        or (n is None and len(effects) < 7 and judged.verdict == "inconclusive")
    ):
        effects.append(truth + draw.gauss(0, 0.25))
        judged = evidence.judge(effects)
    method = "sign e-process on per-seed slopes"
    return Evidence(
        **msgspec.structs.asdict(judged) | {"method": method}, unit=unit, seeds=SEEDS[: judged.n]
    )


def _beside(draw, study, truth):
    """A single arm with its seeds, or two."""
    seeds = SEEDS[:3]
    x, y = abs(draw.gauss(0.5, 0.3)), truth + 0.3
    by_seed = tuple((x + draw.gauss(0, 0.1), y + draw.gauss(0, 0.1)) for _ in seeds)
    points = (ArmPoint("auto", x, y, by_seed),)
    if draw.random() < 0.5:
        points = (ArmPoint("dropout 0.1", x / 2, y / 2), ArmPoint("dropout 0.3", x, y))
    return CurvesPlot(
        ylabel="alpha (classifier), change against the baseline",
        curves=[id for id, _ in STUDIES].index(study),
        seeds=seeds,
        points=points,
    )


def _plot(draw, kind, truth, specific):
    match kind:
        case None:
            return None
        case "relation":
            return _relation(draw, truth)
        case "bars":
            return _bars(draw, truth, specific)
        case "paired":
            return _paired(draw, truth)
        case "dose":
            return _dose(draw, (0, 0.05, 0.1, 0.2, 0.3), "dropout rate", truth, specific)
        case "decay":
            return _dose(draw, (0, 1e-5, 1e-4, 1e-3, 5e-3), "weight decay", truth, specific)


def _relation(draw, truth):
    arms = [
        ("dropout", "dropout .3"),
        ("weight decay", "decay 1e-3"),
        ("augmentation", "auto"),
        ("augmentation", "rand"),
    ]
    return RelationPlot(
        xlabel="Vendi Score (pixel)",
        ylabel="accuracy (id)",
        points=tuple(
            RelationPoint(label, group, x=draw.gauss(-1, 0.6), y=draw.gauss(truth, 0.4))
            for group, label in arms
        ),
    )


def _bars(draw, truth, specific):
    names = ("auto", "rand", "augmix", "trivial", "noise10", "noise30")
    if not specific:
        names = tuple(
            f"{group}: {metric}"
            for group in ("augmentation", "dropout")
            for metric in ("Frobenius norm", "alpha", "matrix entropy")
        )
    return BarsPlot(
        ylabel="accuracy, change against baseline",
        x=names,
        series=tuple(
            Series(seed, tuple(truth + draw.gauss(0, 0.3) for _ in names)) for seed in SEEDS
        ),
    )


def _paired(draw, truth):
    bases = [draw.gauss(3, 0.2) for _ in SEEDS]
    return PairedPlot(
        ylabel="alpha (classifier)",
        arms=("baseline", "auto"),
        series=tuple(
            Series(seed, (base, base + truth + draw.gauss(0, 0.2)))
            for seed, base in zip(SEEDS, bases)
        ),
    )


def _dose(draw, doses, label, truth, specific):
    def along(slope, lacking=None):
        for i in range(5):
            yield (None if i == lacking else slope * i / 4 + (draw.gauss(0, 0.08) if i else 0))

    series = []
    for seed in SEEDS:
        slope = truth + draw.gauss(0, 0.25)
        y = tuple(along(slope))
        beyond = tuple(along(0.4 * slope, 2 if seed == 3 else None)) if specific else None
        series.append(Series(seed, y, beyond))
    return DosePlot(
        xlabel=label,
        ylabel="alpha (classifier), change against baseline",
        x=doses,
        series=tuple(series),
    )


def _study(id, title):
    if id == "digits":
        return StudyCard(id=id, title=title)
    domains = ("real", "clipart", "infograph", "painting", "sketch")
    return StudyCard(
        id=id,
        title=title,
        description="Made-up shapes with made-up motifs in five renderings; a small model "
        "fine-tuned on one of them.",
        facts=(
            ("backbone", "ViT, width 64, 3 layers"),
            ("images", 2000),
            ("classes", 56),
            ("epochs", 24),
            ("learning rate", 0.0015),
        ),
        domains=tuple(
            Domain(name, "out of domain" if i else "in domain") for i, name in enumerate(domains)
        ),
        baseline=(
            Accuracy("training set", 0.998, 0.001),
            Accuracy("in domain", 0.62, 0.012),
            Accuracy("clipart", 0.34, 0.02),
            Accuracy("sketch", 0.28),
        ),
    )


def _generator(draw):
    rows = (
        SampleRow(name="real training images", image=_png(draw)),
        SampleRow(
            name="good: guidance 2, temperature 1",
            seed=0,
            image=_png(draw),
            quality={"probe accuracy": 0.71, "share of copies": 0.0},
        ),
    )
    return GeneratorSheet(
        study="clip-world",
        generator="flow matching, width 32, 1000 steps",
        classes=("ring", "star"),
        each=2,
        rows=rows,
        measures=("probe accuracy", "share of copies"),
    )


def _png(draw, width=160, height=64):
    """A small image of random tiles."""
    tiles = [
        [bytes(draw.randrange(40, 220) for _ in range(3)) for _ in range(width // 8)]
        for _ in range(height // 8)
    ]
    raw = b"".join(b"\0" + b"".join(pixel * 8 for pixel in tiles[y // 8]) for y in range(height))

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    png = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    )
    png += chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


if __name__ == "__main__":  # python -m tests.support.sample_page 14 > sample.html
    from ddiv.report import render

    sys.stdout.write(render(sample_page(int(sys.argv[1]) if len(sys.argv) > 1 else 14)))
