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
from ddiv.report.pictures import pictures
from tests.sample_materials import material

SEEDS = [0, 1, 2, 3, 4, 5, 6]
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


def sample_page(n_claims: int = 14, seed: int = 0) -> dict:
    """A report of `n_claims` claims, about ten findings each; no number in it was measured."""
    draw = random.Random(seed)
    claims = [_claim(draw, i) for i in range(n_claims)]
    tested = [
        f
        for claim in claims
        if not claim.get("guards")
        for f in claim["findings"]
        if f.get("evidence")
    ]
    materials = [
        material(draw, study, tower, study != "digits")
        for (study, _), tower in zip(STUDIES, ("clip vit", "clip resnet", "resnet18"))
    ]
    return {
        "title": "Data diversity and regularisation, checked",
        "subtitle": "A sample page: every number on it is made up",
        "generated": "2026-01-31T12:34:56+00:00",
        "profile": "sample",
        "command": "pytest claims -n 2 --profile sample",
        "alpha": 0.05,
        "seeds": SEEDS[:3],
        "run": {
            "seconds": 5025.0,
            "trials_trained": 212,
            "trials_reused": 48,
            "seconds_per_trial": 23.7,
            "workers": 2,
            "device": "cpu",
        },
        "studies": [_study(id, title) for id, title in STUDIES],
        "families": [{"id": id, "title": title} for id, title in FAMILIES],
        "claims": claims,
        "controls": _controls(claims),
        "over_studies": list(_over_studies(claims)),
        "fit": list(_fit(claims)),
        "spent": {
            "first": 3,
            "most": 7,
            "budget": 1800.0,
            "trials": 194,
            "fixed": 239,
            "by_seeds": sorted(collections.Counter(f["evidence"]["n"] for f in tested).items()),
        },
        "listed": {
            "alpha": 0.05,
            "of": len(tested),
            "tests": [
                tested[i]["test"]
                for i in evidence.ebh([2 * f["evidence"]["e_for"] for f in tested])
            ]
            if tested
            else [],
        },
        "materials": materials,
        "pictures": pictures(materials),
        "generators": [_generator(draw)],
        "contact_sheets": [
            {
                "study": "clip-world",
                "caption": "Made-up images; a row for each augmentation.",
                "png": _png(draw),
            },
            {"study": "digits", "caption": "A sheet whose image is missing."},
        ],
        "settings": [
            ["alpha fit", "maximum likelihood, xmin by Kolmogorov–Smirnov"],
            ["entropy", "raw sum (v1)"],
            ["ECE bins", 15],
        ],
        "versions": [["python", "3.13.1"], ["torch", "2.11.0"], ["ddiv", None]],
        "hardware": [["cpu", "2 cores"], ["memory", "8 GiB"]],
        "warnings": [
            "This page is a sample.",
            "digits: 10 classes, so alpha is fitted to 10 eigenvalues.",
        ],
    }


def _claim(draw, i):
    family, _ = FAMILIES[i % len(FAMILIES)]
    statements = STATEMENTS[family]
    again = i // len(FAMILIES)
    id = f"{family}-{again}"
    studies = STUDIES if i % 5 else STUDIES[:2]
    variants = VARIANTS[: 1 + (i * 3) % 7] if i % 4 else ["classifier"]
    claim = {
        "id": id,
        "family": family,
        "statement": statements[again % len(statements)],
        "source": "v1 3.2, fig 3",
        "direction": draw.choice(["rises", "falls"]),
        "command": f"pytest claims -k {id}",
        "findings": [
            _finding(draw, id, family, study, variant, i)
            for study, _ in studies
            for variant in variants
        ],
    }
    if family == "controls":
        claim["guards"] = FAMILIES[again % 5][0]
    if i % 6 == 5:
        del claim["source"], claim["direction"]
    return claim


def _controls(claims):
    """The last family has none."""
    tally = {}
    for claim in claims:
        if claim.get("guards"):
            row = tally.setdefault(claim["guards"], {"held": 0, "of": 0})
            row["of"] += len(claim["findings"])
            row["held"] += sum(f["verdict"] != "supported" for f in claim["findings"])
    return tally


def _over_studies(claims):
    for claim in claims:
        by_variant = collections.defaultdict(dict)
        for f in claim["findings"]:
            if f.get("evidence"):
                by_variant[f["variant"]][f["study"]] = f["evidence"]
        for variant, group in () if claim.get("guards") else by_variant.items():
            verdicts = [e["verdict"] for e in group.values()]
            e_for, e_against = (
                min(e["e_for"] for e in group.values()),
                statistics.mean(e["e_against"] for e in group.values()),
            )
            yield {
                "claim": claim["id"],
                "variant": variant,
                "e_for": e_for,
                "e_against": e_against,
                "verdict": "supported"
                if set(verdicts) == {"supported"}
                else "contradicted"
                if e_against >= 20
                else "inconclusive",
                "studies": dict(zip(group, verdicts)),
            }


def _fit(claims):
    for claim in claims:
        for f in claim["findings"]:
            if not f.get("evidence") or claim.get("guards") or claim["family"] == "synthetic":
                continue
            here, there = f["evidence"], f.get("matched") or {}
            spread = statistics.stdev(here["effects"])
            equal, matched = (e.get("effect") for e in (here, there))
            yield {
                "claim": claim["id"],
                "study": f["study"],
                "variant": f["variant"],
                "test": f["test"],
                "family": claim["family"],
                "verdict": here["verdict"],
                "matched_verdict": there.get("verdict", "unmatched"),
                "effect": equal,
                "matched_effect": matched,
                "unit": here["unit"],
                "equal": equal / spread,
                "matched": there and matched / spread or None,
                "share": there and matched / equal or None,
                "note": f.get("matched_note"),
            }


def _finding(draw, claim, family, study, variant, i):
    finding = {
        "test": f"claims/test_{family}.py::test_{claim.replace('-', '_')}[{study}-{variant}]",
        "study": study,
        "variant": variant,
        "command": f"pytest claims -k '{claim} and {study} and {variant}'",
        "trials": [f"{draw.getrandbits(40):010x}" for _ in range(10)],
        "caveats": [],
        "expected": None,
        "note": None,
    }
    luck = draw.random()
    if luck < 0.05:
        return finding | {
            "verdict": "not applicable",
            "note": "This backbone has no layer of that kind.",
        }
    if luck < 0.08:
        return {"study": study, "verdict": "not run"}
    truth = draw.gauss(0.6, 1) * (0.05 if family == "controls" else 1)
    if (claim, study, variant) == ("controls-0", "resnet-world", "classifier"):
        truth = 1.0  # a control that fails
    finding["evidence"] = _evidence(draw, truth, UNITS[family])
    finding["verdict"] = finding["evidence"]["verdict"]
    if luck < 0.8:
        n = finding["evidence"]["n"] - draw.choice([0, 0, 0, 2])
        finding["matched"] = _evidence(draw, truth * draw.uniform(-0.3, 0.9), UNITS[family], n)
        finding["matched_note"] = (
            None if n == finding["evidence"]["n"] else f"unmatched at 2 of {n + 2} seeds"
        )
    if (
        family != "controls"
        and draw.random()
        < {"contradicted": 0.7, "inconclusive": 0.1, "supported": 0.02}[finding["verdict"]]
    ):
        expected = (
            finding["verdict"]
            if draw.random() < 0.9 and finding["verdict"] != "supported"
            else "contradicted"
        )
        finding["expected"] = {
            "verdict": expected,
            "since": "2026-01-15",
            "reason": "In a saturated regime the sign of this effect is the opposite one.",
        }
    if UNITS[family] == "alpha":
        others = [finding["verdict"] if draw.random() < 0.9 else "inconclusive" for _ in range(3)]
        finding["definitions"] = [
            [name, word]
            for name, word in zip(
                [
                    "alpha (classifier)",
                    "alpha (lognormal)",
                    "hill alpha (classifier)",
                    "alpha (flat)",
                ],
                [finding["verdict"], *others],
            )
        ]
    if study == "digits":
        finding["caveats"] = [
            "alpha fits unreliable: 10 eigenvalues",
            "effect smaller than the step of the measure",
        ]
    if finding["verdict"] != "supported":
        finding["explained"] = "3 of 5 seeds agree with the claim, 2 go against it."
    if i == 2:
        finding["derived"] = [["largest share at which nothing is lost", 0.5, 0.25, 0.7]]
    finding["plot"] = _plot(
        draw,
        ["dose", "paired", "bars", "relation", "decay", None][i % 6],
        truth,
        bool(finding.get("matched")),
    )
    return finding


def _evidence(draw, truth, unit, n=None):
    """Effects about `truth`, seed after seed until a verdict falls, but three and, unless `n` are
    asked for, seven at most.
    """
    effects, found = [], None
    while (
        found is None
        or len(effects) < (n or 3)
        or (n is None and len(effects) < 7 and found.verdict == "inconclusive")
    ):
        effects.append(truth + draw.gauss(0, 0.25))
        found = evidence.judge(effects)
    return msgspec.structs.asdict(found) | {
        "unit": unit,
        "seeds": SEEDS[: found.n],
        "method": "sign e-process on per-seed slopes",
    }


def _plot(draw, kind, truth, matched):
    if kind is None:
        return None
    if kind == "relation":
        groups = [
            ("dropout", "dropout .3"),
            ("weight decay", "decay 1e-3"),
            ("augmentation", "auto"),
            ("augmentation", "rand"),
        ]
        return {
            "kind": kind,
            "xlabel": "Vendi Score (pixel)",
            "ylabel": "accuracy (id)",
            "points": [
                {
                    "label": label,
                    "group": group,
                    "x": draw.gauss(-1, 0.6),
                    "y": draw.gauss(truth, 0.4),
                }
                for group, label in groups
            ],
        }
    if kind == "bars":
        names = ["auto", "rand", "augmix", "trivial", "noise10", "noise30"]
        if not matched:
            names = [
                f"{group}: {metric}"
                for group in ("augmentation", "dropout")
                for metric in ("Frobenius norm", "alpha", "matrix entropy")
            ]
        return {
            "kind": kind,
            "ylabel": "accuracy, change against baseline",
            "x": names,
            "series": [
                {"seed": s, "y": [truth + draw.gauss(0, 0.3) for _ in names]} for s in SEEDS
            ],
        }
    if kind == "paired":
        base = [draw.gauss(3, 0.2) for _ in SEEDS]
        return {
            "kind": kind,
            "xlabel": None,
            "ylabel": "alpha (classifier)",
            "arms": ["baseline", "auto"],
            "series": [
                {"seed": s, "y": [b, b + truth + draw.gauss(0, 0.2)]} for s, b in zip(SEEDS, base)
            ],
        }
    x, label = (
        ([0, 0.05, 0.1, 0.2, 0.3], "dropout rate")
        if kind == "dose"
        else ([0, 1e-5, 1e-4, 1e-3, 5e-3], "weight decay")
    )
    series = []
    for s in SEEDS:
        slope = truth + draw.gauss(0, 0.25)
        series.append(
            {
                "seed": s,
                "y": [slope * i / 4 + (draw.gauss(0, 0.08) if i else 0) for i in range(5)],
                "matched": [
                    None
                    if s == 3 and i == 2
                    else 0.4 * slope * i / 4 + (draw.gauss(0, 0.08) if i else 0)
                    for i in range(5)
                ]
                if matched
                else None,
            }
        )
    return {
        "kind": "dose",
        "xlabel": label,
        "ylabel": "alpha (classifier), change against baseline",
        "x": x,
        "series": series,
    }


def _study(id, title):
    study = {"id": id, "title": title}
    if id == "digits":
        return study
    return study | {
        "description": "Made-up shapes with made-up motifs in five renderings; a small model fine-tuned on one of them.",
        "facts": [
            ["backbone", "ViT, width 64, 3 layers"],
            ["images", 2000],
            ["classes", 56],
            ["epochs", 24],
            ["learning rate", 0.0015],
        ],
        "domains": [
            {"id": d, "role": "out of domain" if i else "in domain"}
            for i, d in enumerate(["real", "clipart", "infograph", "painting", "sketch"])
        ],
        "baseline": [
            {"name": "training set", "mean": 0.998, "sd": 0.001},
            {"name": "in domain", "mean": 0.62, "sd": 0.012},
            {"name": "clipart", "mean": 0.34, "sd": 0.02},
            {"name": "sketch", "mean": 0.28, "sd": None},
        ],
    }


def _generator(draw):
    rows = [
        {"name": "real training images", "seed": None, "png": _png(draw), "quality": {}},
        {
            "name": "good: guidance 2, temperature 1",
            "seed": 0,
            "png": _png(draw),
            "quality": {"probe accuracy": 0.71, "share of copies": 0.0},
        },
    ]
    return {
        "study": "clip-world",
        "generator": "flow matching, width 32, 1000 steps",
        "classes": ["ring", "star"],
        "each": 2,
        "rows": rows,
        "measures": ["probe accuracy", "share of copies"],
    }


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


if __name__ == "__main__":  # python tests/sample_page.py 14 > sample.html
    from ddiv.report import render

    sys.stdout.write(render(sample_page(int(sys.argv[1]) if len(sys.argv) > 1 else 14)))
