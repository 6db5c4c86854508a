"""`python benchmarks/gpu.py`, whose steps need a GPU, tried on the CPU."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import gpu
import gpu_compiled
import gpu_trial
import gpu_workers
import pytest
import torch
from training_gpu import DROPOUT, NOTHING, Scale

from ddiv.trial import layout, steps


@pytest.fixture
def command(pytestconfig, tmp_path):
    """Runs benchmarks/gpu.py in an empty folder, and returns the process that has ended."""

    def run(*options: str, **variables: str) -> subprocess.CompletedProcess:
        outer = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        return subprocess.run(
            [sys.executable, str(pytestconfig.rootpath / "benchmarks" / "gpu.py"), *options],
            cwd=tmp_path,
            env={**outer, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def record(folder: Path) -> dict:
    return json.loads((folder / "gpu.json").read_text())


@pytest.mark.slow
def test_a_step_that_fails_stops_no_other(command, tmp_path):
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "hypothesis.py").write_text("raise ImportError('no such wheel')\n")
    chosen = ["env", "trial", "steps", "spectra", "ratio"]
    done = command("--tiny", "--minutes", "10", "--only", *chosen, PYTHONPATH=str(lacking))

    out = tmp_path / "gpu-results"
    kept = record(out)
    assert kept["command"].startswith("python benchmarks/gpu.py --tiny") and kept["card"]
    assert {name: step["rc"] for name, step in kept["steps"].items()} == {
        "env": 1,
        **dict.fromkeys(chosen[1:], 0),
    }, done.stdout
    assert all(step["seconds"] > 0 and step["last_lines"] for step in kept["steps"].values())
    assert all((out / f"{name}.log").exists() for name in chosen)
    first, *others = done.stdout.splitlines()[-len(chosen) :]
    assert first.startswith("env      FAILED (rc 1)") and done.returncode == 1
    assert all(row.split()[:2] == [name, "passed"] for row, name in zip(others, chosen[1:]))

    figures = {name: step["figures"] for name, step in kept["steps"].items()}
    assert figures["env"]["errors"] == {"hypothesis": "ImportError: no such wheel"}
    assert figures["env"]["modules_of_ddiv"] > 50
    workers, embedded = (figures["steps"][name] for name in ("workers", "embedded_clip"))
    assert set(workers) == set(embedded) == {"1", "2", "2 MPS"}
    for of in (workers, embedded):
        assert "no Multi-Process Service" in of.pop("2 MPS")["skipped"]
        assert all(worker["images_a_second"] > 0 for worker in of.values())
    for way in figures["trial"]["ways"].values():
        assert way["ratio"] > 0 and 0 < way["seconds_by_phase"]["steps"] < way["first_seconds"] * 9
    assert figures["spectra"]["largest_difference"] < 1e-10
    assert figures["ratio"]["ratio"] > 0 and len(figures["ratio"]["arms"]) == 3


@pytest.mark.slow
def test_the_exit_status_is_0_where_every_step_passed(command, tmp_path):
    chosen = ["tests", "claims"]
    done = command("--tiny", "--minutes", "10", "--only", *chosen, "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    steps = record(tmp_path)["steps"]
    assert list(steps) == chosen and record(tmp_path)["not_reached"] == []
    counts = steps["tests"]["figures"]
    assert counts["tests"] > counts["skipped"] and counts["failures"] == counts["errors"] == 0
    claims = steps["claims"]["figures"]
    assert claims["verdicts"]["inconclusive"] == 1
    assert sum(kind["number"] for kind in claims["trials"].values()) >= 3
    assert (tmp_path / "claims.html").exists()


def test_steps_that_time_does_not_suffice_for_are_named(command, tmp_path):
    done = command("--tiny", "--minutes", "0.1", "--only", "env", "claims", "--out", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == ["env      not reached", "claims   not reached"]
    assert record(tmp_path)["not_reached"] == ["env", "claims"]


def test_a_machine_without_a_gpu_is_told_so_in_one_line(command, tmp_path):
    done = command("--out", "results", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == ("torch sees no CUDA device here; --tiny tries the steps on the CPU\n")
    assert not (tmp_path / "results").exists()


def test_a_step_ends_at_its_limit_and_keeps_what_it_has_said(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "GRACE", 0.5)
    code = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(child.pid, flush=True)
time.sleep(60)
"""
    step = gpu.Step("x", 3, [sys.executable, "-c", code])
    result = gpu.run(step, 3, tmp_path / "x.log", dict(os.environ))
    assert result["stopped"] and result["rc"] and 2 < result["seconds"] < 6
    assert gpu.verdict(result) == "STOPPED at 3 s"
    child = result["last_lines"][0]
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False
    )
    assert state.stdout.strip() in ("", "Z", "ZN")  # gone, or ended and not yet collected


def test_the_tests_for_a_gpu_are_found_wherever_they_lie():
    names = {path.name for path in gpu.gpu_tests()}
    assert {"test_steps.py", "test_train.py", "test_eigen.py"} <= names
    assert "test_gpu_benchmark.py" not in names


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A script in the place of NVIDIA's program, which keeps what it is told in a file."""

    def install(answer: str) -> Path:
        program, told = tmp_path / gpu_workers.SERVICE, tmp_path / "told"
        program.write_text(
            f"#!/bin/sh\necho $CUDA_MPS_PIPE_DIRECTORY $@ >> {told}\n"
            f"orders=$(cat); echo $orders >> {told}\n"
            f'[ "$orders" = get_server_list ] && echo {answer}\nexit 0\n'
        )
        program.chmod(0o755)
        return told

    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    return install


def test_processes_share_a_card_through_a_service_that_ends_with_them(service):
    told = service(answer="4711")
    with gpu_workers.multi_process_service(torch.device("cuda")):
        place = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
        assert Path(place).is_dir() and told.read_text() == f"{place} -d\n\n"
    orders = f"{place}\nget_server_list\n{place}\nquit\n"
    assert told.read_text() == f"{place} -d\n\n" + orders
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ and not Path(place).exists()


def test_a_service_that_no_process_used_is_told(service):
    told = service(answer="")
    unused = pytest.raises(gpu_workers.NoService, match="no process used it")
    with unused, gpu_workers.multi_process_service(torch.device("cuda")):
        pass
    assert told.read_text().endswith("quit\n")


def test_the_phases_of_a_trial_add_up_to_it(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 7.0, 15.0])
    monkeypatch.setattr(gpu_trial.time, "perf_counter", lambda: next(now))
    clock = gpu_trial.Clock(torch.device("cpu"))
    inner = clock.timed("inner", lambda: None)
    clock.timed("outer", inner)()  # begins at 1; inner lasts from 3 to 7; outer ends at 15
    now = iter([15.5])
    assert clock.seconds() == {"outer": 2.0 + 8.0, "inner": 4.0, "else": 1.0 + 0.5}


def test_a_compiled_step_computes_what_the_plain_one_does(monkeypatch):
    # without the compiler itself, which takes a minute: what it is given is what counts
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    gpu_compiled._compiled.cache_clear()
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    for treatment in (NOTHING, DROPOUT):  # one after the other: what is compiled is used again
        network, found = Scale.of(0, tiny=True).network(treatment).train(), []
        for way in (layout.in_bf16, gpu_compiled.in_bf16):
            network.zero_grad()
            torch.manual_seed(0)  # dropout's masks
            with torch.autocast("cpu", torch.bfloat16):
                outputs = way(network, images)
            outputs.float().square().sum().backward()
            found.append((outputs, [p.grad for p in network.parameters()]))
        (plain, expected), (outputs, gradients) = found
        assert torch.equal(plain, outputs)
        for one, other in zip(expected, gradients):  # sums in bf16, in another order
            assert (one - other).norm() <= 0.05 * one.norm()


def test_a_compiled_step_is_not_compiled_anew_at_its_capture(monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    gpu_compiled._compiled.cache_clear()
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    network, kinds = Scale.of(0, tiny=True).network(NOTHING).train(), []

    def step(inputs):
        kinds.append(inputs.is_contiguous(memory_format=torch.channels_last))
        with torch.autocast("cpu", torch.bfloat16):
            return gpu_compiled.in_bf16(network, inputs).float().square().mean()

    compiled = torch._dynamo.utils.counters["stats"]
    captured = steps.Captured(step, capture=lambda work: (lambda: None, work()))
    for _ in range(steps.WARM_UP):
        captured(images)
    before = compiled["unique_graphs"]
    captured(images)
    assert kinds == [False] * steps.WARM_UP + [True]
    assert compiled["unique_graphs"] == before > 0


def test_a_way_whose_steps_are_not_captured_says_so():
    def refused(work):
        raise RuntimeError("operation not permitted when stream is capturing")

    def uncaptured(*given):
        step = steps.Captured(lambda batch: batch.sum(), capture=refused)
        for _ in range(steps.WARM_UP + 1):
            step(torch.ones(2))

    job = gpu_trial.Job(Scale.of(0, tiny=True), 1, torch.device("cpu"))
    assert (
        "could not be captured" in gpu_trial.measured(job, {"gpu_trial.fit": uncaptured})["error"]
    )


def test_wheels_are_installed_for_the_steps_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "WHEELS", tmp_path)
    about = "lacking-1.0.dist-info"
    with ZipFile(tmp_path / "lacking-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("lacking.py", "here = True\n")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: lacking\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    environment, outcome = gpu.environment_with(tmp_path / "site", tiny=True)
    assert outcome == "1 installed"
    code = "import lacking, ddiv, embedded"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)

    (tmp_path / "broken-1.0-py3-none-any.whl").write_text("no zip file")
    _, outcome = gpu.environment_with(tmp_path / "other", tiny=True)
    assert outcome.startswith("not installed: ") and "broken" in outcome
