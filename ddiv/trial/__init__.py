"""Jobs: the values that name what is to be measured, and their keys.

A **trial** (study x treatment x seed) is trained once. A **view** is the training set as one
treatment shows it to the model; measuring its diversity needs no training. A **generator fit** and
the **samples** drawn from it make the synthetic images and texts that some trials and views read.
An **experiment** is a call of a function that draws, computes and returns numbers.
All five are jobs: frozen values whose key is a hash of their canonical JSON and of the version of
the code's meaning, never of a path, a device or a worker.
"""

from ddiv.trial.job import (
    MEANING,
    DataView,
    Experiment,
    GeneratorFit,
    Job,
    Samples,
    Trial,
    canonical,
    decode,
    key,
    performance,
    replicate,
    requires,
    sampling,
    trial,
    with_requirements,
)

__all__ = [
    "MEANING",
    "DataView",
    "Experiment",
    "GeneratorFit",
    "Job",
    "Samples",
    "Trial",
    "canonical",
    "decode",
    "key",
    "performance",
    "replicate",
    "requires",
    "sampling",
    "trial",
    "with_requirements",
]
