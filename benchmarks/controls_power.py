"""How often negative controls show a bias: one by one, and pooled by family.

    python benchmarks/controls_power.py [--runs 20000] [--out FILE]

A bias makes each control of a family come out with the claimed sign at a seed with some
probability, on every study; .5 is no bias. Simulated with the controls, studies and questions of
the embedded profile, as a run looks at seeds: three, then more while the control could still be
supported, up to twelve, and up to sixteen while it is a surprise and not sure. "stored" are runs on
a store that has twelve seeds, which are all looked at. Controls of one study share its seeds: once
with the same signs, once with independent ones, between which the truth lies. Writes
benchmarks/results/controls-power.json; seconds on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from ddiv.evidence.capital import sign_log_capital
from ddiv.finding import CONTROL_SEEDS, CONTROL_SHARE, SURPRISE_SEEDS

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.support.claim_cases import CASES, PROFILE  # noqa: E402

ALPHA = 0.05
PROBABILITIES = (0.5, 0.6, 0.7, 0.8, 0.9)
FIRST = PROFILE.seeds


SEEDS = np.arange(1, SURPRISE_SEEDS + 1)
# All of the capital that bets for a control, by seeds - 1 and wins.
TABLE = np.exp([[sign_log_capital(min(k, n), n) for k in range(SURPRISE_SEEDS + 1)] for n in SEEDS])
BAR = 2 * CONTROL_SHARE / ALPHA


def seeds_spent(capital: np.ndarray, wins: np.ndarray, stored: int) -> np.ndarray:
    """The seeds (...) that a run looks at of capitals (..., SURPRISE_SEEDS)."""
    most = CONTROL_SEEDS
    at_best = TABLE[most - 1][wins[..., :most] + most - SEEDS[:most]]
    over = (at_best < BAR) | (capital[..., :most] >= BAR)
    over[..., : max(FIRST, stored) - 1] = False
    over[..., -1] = True
    return over.argmax(axis=-1) + 1


def one_family(
    controls: list[int], families: int, questions: int, probability: float, runs: int, same: bool,
    stored: int,
) -> dict[str, float]:  # fmt: skip
    """The shares of runs in which a family's controls, so many on each study, show a bias.

    `supported`: one of them is supported, which is told; `fails alone`: one is sure among all
    questions; `fails pooled`: all together are supported, out of so many `families`.
    """
    rng = np.random.default_rng(18)
    supported, alone = np.zeros(runs, bool), np.zeros(runs, bool)
    pooled = np.ones(runs)
    for number in controls:
        drawn = rng.random((runs, 1 if same else number, SURPRISE_SEEDS)) < probability
        wins = drawn.cumsum(axis=-1)
        capital = TABLE[SEEDS - 1, wins]
        spent = seeds_spent(capital, wins, stored)
        ended = np.take_along_axis(capital, spent[..., None] - 1, axis=-1)[..., 0]
        surprise = ended >= BAR
        sure = capital[..., CONTROL_SEEDS - 1 :].max(axis=-1) >= questions / ALPHA
        supported |= surprise.any(axis=1)
        alone |= (surprise & sure).any(axis=1)
        # That a surprise goes on would add to the pool: left out here.
        pooled *= ended.mean(axis=1)
    return {
        "supported": float(supported.mean()),
        "fails alone": float(alone.mean()),
        "fails pooled": float((pooled >= families / ALPHA).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "controls-power.json"
    )
    options = parser.parse_args()
    cases = [case for case in CASES if case.applicable]
    counts = Counter((c.claim.guards, c.study.name) for c in cases if c.claim.control)
    families = sorted({family for family, _ in counts})
    power = {}
    for family in families:
        controls = [number for (of, _), number in counts.items() if of == family]
        power[family] = {
            "studies": len(controls),
            "controls": sum(controls),
            **{
                f"{start}, {signs} signs": {
                    str(p): one_family(
                        controls,
                        len(families),
                        len(cases),
                        p,
                        options.runs,
                        signs == "same",
                        stored,
                    )
                    for p in PROBABILITIES
                }
                for start, stored in (("cold", 0), ("stored", CONTROL_SEEDS))
                for signs in ("same", "independent")
            },
        }
    one = {str(p): one_family([1], 1, len(cases), p, options.runs, True, 0) for p in PROBABILITIES}
    result = {
        "command": f"python benchmarks/controls_power.py --runs {options.runs}",
        "profile": PROFILE.name,
        "questions": len(cases),
        "families": len(families),
        "alpha": ALPHA,
        "one control on one study": one,
        "by family": power,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print("share of runs that fail by the pooled controls, cold, same signs in a study")
    print(f"{'':24}" + "".join(f"{p:>8}" for p in PROBABILITIES))
    for family, of_family in power.items():
        shares = of_family["cold, same signs"].values()
        cells = "".join(f"{share['fails pooled']:8.3f}" for share in shares)
        print(f"{family:18}{of_family['controls']:3} {of_family['studies']:2}{cells}")
    for name in ("supported", "fails alone"):
        print(f"one: {name:19}" + "".join(f"{each[name]:8.3f}" for each in one.values()))


if __name__ == "__main__":
    main()
