"""The time of experiments in a plan: one call of each function, and no longer than is stated."""

import time

import pytest
import torch

from ddiv.run import trying
from ddiv.run.cost import NotCalibrated
from ddiv.study import Study, experiment
from ddiv.trial import performance

CPU, BENCH = torch.device("cpu"), Study(name="bench", title="A bench", experiments=("mine",))

CALLS = []


@experiment(number="a number")
def waits(draws, seconds: float):
    CALLS.append(seconds)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except Exception:  # an author's own
            continue
    return {"number": 1.0}


@pytest.fixture(autouse=True)
def unknown(monkeypatch):
    monkeypatch.setattr(trying, "_known", {})
    CALLS.clear()


def job(seconds: float):
    return performance(BENCH, waits("number", seconds=seconds).experiment, 0)


def test_one_call_of_a_function_stands_for_those_with_other_options():
    first = trying.tried(job(0.05), CPU)
    assert 0.05 <= first < 1 and trying.tried(job(30.0), CPU) == first
    assert CALLS == [0.05]


def test_a_call_that_takes_too_long_is_ended_and_told(monkeypatch):
    monkeypatch.setattr(trying, "MOST_SECONDS", 0.1)
    started = time.monotonic()
    with pytest.raises(NotCalibrated, match=r"of waits, a call of which takes longer than 0\.1 s"):
        trying.tried(job(30.0), CPU)
    assert time.monotonic() - started < 5
    time.sleep(0.15)  # and no alarm is left
