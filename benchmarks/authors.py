"""What the authors' published tables say, by ddiv's questions and by a plainer reading of them.

    python benchmarks/authors.py > benchmarks/results/authors.md

Both from the figures that the package ships (`ddiv.report.published`). The plainer reading counts
the studies in which a rank correlation over doses (the baseline as dose 0), or a mean effect, has
the claimed sign, and takes the exact two-sided sign test over them. It asks nothing of fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean, median
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, rankdata

from ddiv.profiles import authors
from ddiv.report.published import answers, effects
from ddiv.treatment import Dropout, WeightDecay
from ddiv.treatment.names import AUGMENTATIONS

SLOPE = "the slope weighs sizes, so the largest dose decides; a rank correlation weighs order"
FITS = (
    "fewer than half of the fits can be relied on (few eigenvalues, or few in the tail), so the "
    "verdict is withheld"
)
EACH = (
    "two effects from one baseline go together by its noise: ddiv asks that each goes its way by "
    "itself"
)
BERT = "ddiv asks the arms of the ten image augmentations, which BERT has not"
APART = "ddiv asks each augmentation by itself"
FEW = "two studies cannot decide"

MEDIANS = (
    "The encoder's median is that of effects matrix by matrix. A difference of two medians, of the "
    "arm's and of the baseline's changes, counts otherwise where effects are near 0 (wd-entropy: 1 "
    "of 10, p = .021, in place of 2 of 10; drop-alpha: 7 of 10 in place of 5; aug-frobenius: 1 of "
    "8, p = .07, in place of 0 of 8)."
)

TEXT_ARMS = [f"{kind}{share}" for kind in authors.TEXTS for share in (30, 50)]

TABLE = {(row.study, row.arm, row.part): row.effects for row in effects.shipped()}
STUDIES = list(dict.fromkeys(row.study for row in effects.shipped()))
DROPPED = [Dropout(rate).label for rate in authors.RATES]
DECAYED = [WeightDecay(decay).label for decay in authors.DECAYS]
PARTS = {"classifier": "classifier", "encoder": "encoder", "encoder, median": "encoder"}
METRICS = ("alpha", "entropy_normalised", "log_norm", "log_spectral_norm")


class Row(NamedTuple):
    claim: str
    plain: str
    ddiv: str
    same: str
    why: str


def word(agree: int, of: int) -> str:
    if binomtest(agree, of).pvalue > 0.05:
        return "undecided"
    return "agrees" if 2 * agree > of else "contradicts"


WORDS = {"supported": "agrees", "contradicted": "contradicts", "inconclusive": "undecided"}


def told(agree: int, of: int) -> str:
    return f"{word(agree, of)} ({agree} of {of}, p = {binomtest(agree, of).pvalue:.2g})"


def rho(first: Sequence[float], second: Sequence[float]) -> float:
    a, b = rankdata(first), rankdata(second)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0


def doses(study: str, arms: Sequence[str], part: str, metric: str, base: bool = True) -> float:
    values = [0.0] * base + [TABLE[study, arm, part][metric] for arm in arms]
    return rho(range(len(values)), values)


def average(study: str, arms: Sequence[str], part: str, metric: str) -> float:
    return mean(TABLE[study, arm, part][metric] for arm in arms)


def augmented(study: str) -> Sequence[str]:
    return TEXT_ARMS if study == "bert-complaints" else AUGMENTATIONS


def scaled(study: str, part: str) -> dict[str, np.ndarray]:
    """Mean effects of the families, each metric in units of its deviation over all arms."""
    groups = {"augmentation": augmented(study), "dropout": DROPPED, "decay": DECAYED}
    arms = [arm for group in groups.values() for arm in group]
    table = np.array([[TABLE[study, arm, part][m] for m in METRICS] for arm in arms])
    unit = table.std(axis=0, ddof=1)
    vectors = {
        name: np.array([average(study, group, part, m) for m in METRICS]) / unit
        for name, group in groups.items()
    }
    each = [np.array([TABLE[study, arm, part][m] for m in METRICS]) / unit for arm in DROPPED]
    return vectors | {"each": np.array(each)}


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def by_ddiv(claim: str, variant: str) -> tuple[str, str]:
    """What ddiv's question comes to: in words, and the verdict alone."""
    (one,) = [o for o in answers.shipped().answers if (o.claim, o.variant) == (claim, variant)]
    if not one.of:
        return f"not applicable: {one.note}", "not applicable"
    verdict = WORDS[one.verdict]
    withheld = any("decides nothing" in caveat for caveat in one.caveats)
    return f"{verdict}{', withheld' * withheld} ({one.agree} of {one.of}, p = {one.p:.2g})", verdict


def row(claim: str, shown: str, variant: str, agree: int, of: int, why: str) -> Row:
    said, verdict = by_ddiv(claim, variant)
    same = "yes" if verdict == word(agree, of) else "no"
    counted = f"({agree} of {of}," in said
    return Row(
        f"{claim}, {shown}" if shown else claim,
        told(agree, of),
        said,
        same,
        "" if same == "yes" and counted else why,
    )


def of_doses() -> Iterator[Row]:
    asked = (
        ("drop-alpha", DROPPED, "alpha", 1),
        ("drop-entropy", DROPPED, "entropy_normalised", 1),
        ("drop-frobenius", DROPPED, "log_norm", -1),
        ("drop-spectral", DROPPED, "log_spectral_norm", -1),
        ("wd-alpha", DECAYED, "alpha", -1),
        ("wd-entropy", DECAYED, "entropy_normalised", -1),
        ("wd-frobenius", DECAYED, "log_norm", -1),
        ("wd-spectral", DECAYED, "log_spectral_norm", -1),
    )
    for claim, arms, metric, want in asked:
        for part, layers in PARTS.items():
            agree = sum(want * doses(s, arms, part, metric) > 1e-9 for s in STUDIES)
            why = FITS if (metric, part) == ("alpha", "classifier") else SLOPE
            if part.endswith("median"):
                over = "the median" if metric == "alpha" else "the mean"
                why = f"ddiv takes {over} over the encoder's layers; {SLOPE}"
            elif metric.startswith("log"):
                why = f"{SLOPE}; ddiv's norms are not logarithms, so large layers weigh more"
            yield row(claim, part, layers, agree, len(STUDIES), why)
    for part in ("classifier", "encoder"):
        agree = sum(doses(s, DECAYED, part, "log_norm", base=False) > 0 for s in STUDIES)
        why = "ddiv asks two things, so p is doubled: the least decay lowers the norm, more do less"
        yield row("wd-small-shrinks-more", part, part, agree, len(STUDIES), why)
    for metric in ("alpha", "entropy_normalised"):
        for part in ("classifier", "encoder"):
            apart = sum(
                doses(s, DROPPED, part, metric, False) * doses(s, DECAYED, part, metric, False)
                < -1e-9
                for s in STUDIES
            )
            yield row(
                "shape-diverges",
                f"{metric}, {part}, slopes opposite",
                f"{metric}, {part}",
                apart,
                len(STUDIES),
                EACH,
            )


def of_augmentations() -> Iterator[Row]:
    real = [s for s in STUDIES if s not in (*authors.AS_REPEATS, "bert-complaints")]
    for claim, metric, want in (
        ("aug-frobenius", "log_norm", -1),
        ("aug-entropy", "entropy_normalised", 1),
    ):
        for part, layers in PARTS.items():
            agree = sum(want * average(s, AUGMENTATIONS, part, metric) > 0 for s in real)
            why = "ddiv takes the mean over layers, of norms that are not logarithms"
            yield row(claim, f"mean of arms, {part}", f"mean, {layers}", agree, len(real), why)
        for arm in AUGMENTATIONS:
            agree = sum(want * TABLE[s, arm, "classifier"][metric] > 0 for s in real)
            yield row(claim, arm, arm, agree, len(real), "")
    every = [s for s in STUDIES if s not in authors.AS_REPEATS]
    vectors = {s: scaled(s, "classifier") for s in every}
    closer = sum(
        cosine(v["augmentation"], v["dropout"]) > cosine(v["augmentation"], v["decay"])
        for v in vectors.values()
    )
    split = f"ddiv asks shape and scale apart, of other metrics; {BERT}"
    for of in ("shape", "scale"):
        yield row(
            "aug-like-dropout",
            f"classifier, four metrics ({of})",
            f"{of}, classifier",
            closer,
            len(every),
            split,
        )
    over = {s: scaled(s, "encoder") for s in every}
    closer = sum(
        cosine(v["augmentation"], v["dropout"]) > cosine(v["augmentation"], v["decay"])
        for v in over.values()
    )
    for of in ("shape", "scale"):
        yield row(
            "aug-like-dropout",
            f"encoder, four metrics ({of})",
            f"{of}, encoder",
            closer,
            len(every),
            split,
        )
    lengths = {s: np.linalg.norm(v["each"], axis=1) for s, v in vectors.items()}
    inside = sum(
        lengths[s].min() <= np.linalg.norm(v["augmentation"]) <= lengths[s].max()
        for s, v in vectors.items()
    )
    yield row(
        "aug-magnitude", "classifier", "classifier", inside, len(every), f"other metrics; {BERT}"
    )
    further = sum(
        abs(average(s, AUGMENTATIONS, "encoder", "log_norm"))
        > abs(average(s, DROPPED, "encoder", "log_norm"))
        for s in real
    )
    yield row(
        "enc-average", "moves scale further", "further, frobenius_norm", further, len(real), ""
    )


def of_data() -> Iterator[Row]:
    for claim in ("vendi-aug-pixel", "vendi-aug-embedding"):
        arms = [o for o in answers.shipped().answers if o.claim == claim]
        above = [median(each) > 0 for each in zip(*(o.effects for o in arms))]
        words = {WORDS[o.verdict] for o in arms}
        counts = ", ".join(f"{o.variant} {o.agree}" for o in arms)
        plain = told(sum(above), len(above))
        same = "yes" if words == {plain.split()[0]} else "in part"
        yield Row(
            f"{claim} (median of arms)",
            plain,
            f"{' or '.join(sorted(words))} of 6: {counts}",
            same,
            "" if same == "yes" else APART,
        )


def repeats() -> str:
    (study,) = authors.AS_REPEATS
    told = []
    for part in PARTS:
        found = scaled(study, part)
        like = cosine(found["augmentation"], found["dropout"])
        told.append(f"{part} {like:+.2f}")
    return (
        f"Ten arms of {study} behave as repeats of its baseline (inferred). Cosine of their mean "
        "effect with dropout's, four metrics in units of their deviation over arms: "
        f"{'; '.join(told)}. Both are measured from the same run, so arms that did nothing agree."
    )


HEAD = f"""# The authors' tables: ddiv's questions beside a plainer reading

Made by `python benchmarks/authors.py` of the figures in `ddiv/report/published` (source:
{authors.REPOSITORY}, commit
{authors.COMMIT[:12]}). Ten studies, one run an arm, one baseline a study; the exact two-sided sign
test over studies decides at .05."""

REST = f"""
Not in this table: clf-tail-after-finetune (alpha falls in 8 of 8 studies by ddiv's median over
arms; {FITS}),
aug-ece, aug-extreme-hurts and vendi-predicts ({FEW}), vendi-strongest (2 and 0 of 6),
vendi-domain (asked of studies with several domains), vendi-disagree (needs a second draw of each
augmentation), mix-threshold (one study of one run cannot decide), and all that is not published:
other domains, eigenvalues, weighted scores."""


def main() -> None:
    rows = [*of_doses(), *of_augmentations(), *of_data()]
    same = sum(one.same == "yes" for one in rows)
    print(HEAD, f"{same} of {len(rows)} rows have the same verdict.", repeats(), sep="\n\n")
    print(f"\n{MEDIANS}\n")
    print("| claim | plainer reading | ddiv's question | same verdict | why they differ |")
    print("|---|---|---|---|---|")
    for one in rows:
        print(f"| {' | '.join(one)} |")
    print(REST)


if __name__ == "__main__":
    main()
