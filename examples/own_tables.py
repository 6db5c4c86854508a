"""WeightWatcher's tables of experiments of your own, put to the claims without training anything.

Save a table before and one after training of every arm:

    weightwatcher.WeightWatcher(model=model).analyze(mp_fit=True).to_csv("run-0/baseline-before.csv")

A replicate is a run with all of its arms; six or more can decide. Then, with the folder that holds
run-0, run-1, ...:

    pytest claims --study examples/own_tables.py --data-root FOLDER
"""

from ddiv.study import TableArm, TableSet, study_of_tables
from ddiv.treatment import BASELINE, Dropout, Treatment, WeightDecay

ARMS = {
    "baseline": BASELINE,
    "dropout-0.2": Treatment.of(Dropout(0.2)),
    "dropout-0.5": Treatment.of(Dropout(0.5)),
    "decay-0.01": Treatment.of(WeightDecay(0.01)),
}


def replicate(number: int) -> TableSet:
    """The tables of one run; layers are named by WeightWatcher's `longname`."""
    return TableSet(
        label=f"run {number}",
        folder=f"run-{number}",
        arms=tuple(
            TableArm(treatment, f"{name}-before.csv", f"{name}-after.csv")
            for name, treatment in ARMS.items()
        ),
        classifier="classifier",
        encoder=("conv", "hidden"),
    )


STUDY = study_of_tables("own-tables", "Tables of six runs of my own", *map(replicate, range(6)))
