"""Draws benchmarks/results/power.svg from results/eprocess.json: seeds needed against effect size.

    python benchmarks/power.py

Sequential methods: the seeds by which 80 % of sequences are decided. Fixed n: the fewest seeds with
80 % power; that number must be chosen before the effect is known, and the test looked at once.
Needs matplotlib, which WeightWatcher brings.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "ddiv"  # the same data, the same file
import matplotlib.pyplot as plt  # noqa: E402

RESULTS = Path(__file__).parent / "results"
LINES = {
    "sign": ("sign e-process (ddiv's default)", "#0b5394", "-"),
    "signed-rank": ("signed-rank e-process", "#0b5394", "--"),
    "t-test": ("t-test e-process", "#b45309", "-"),
}
FIXED = {
    "sign test": ("sign test, fixed n", "#0b5394", ":"),
    "paired t-test": ("paired t-test, fixed n", "#b45309", ":"),
}
TICKS = [5, 6, 7, 10, 20, 50, 100, 200, 400]


def main() -> None:
    figures = json.loads((RESULTS / "eprocess.json").read_text("utf-8"))["power"]["normal"]
    sizes = sorted(figures, key=float)
    x = [float(size) for size in sizes]
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, (label, colour, style) in LINES.items():
        seeds = [figures[size][name]["80%"] for size in sizes]
        axes.plot(x, seeds, style, color=colour, label=label, marker="o", markersize=3)
    for name, (label, colour, style) in FIXED.items():
        seeds = [figures[size]["fixed n, 80 % power"][name] for size in sizes]
        axes.plot(x, seeds, style, color=colour, label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="effect over its seed-to-seed deviation (Gaussian effects)",
        ylabel="seeds for a verdict in 80 % of cases",
        xticks=x,
        xticklabels=sizes,
        yticks=TICKS,
        yticklabels=TICKS,
    )
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(RESULTS / "power.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
