"""The card, the driver and the versions of a machine, and whether all of ddiv can be imported.

It also says what torch.compile and NVIDIA's Multi-Process Service need there.

    python benchmarks/gpu_environment.py [--out FILE]

A step of `gpu.py`. It exits with 1 where a package is missing or a module of ddiv fails to load.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import platform
import shutil
import subprocess
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

from gpu_workers import SERVICE

# By the names that they are imported by: what ddiv needs, and what its tests need beside that.
PACKAGES = [
    *("torch", "torchvision", "transformers", "open_clip", "numpy", "scipy", "sklearn"),
    *("safetensors", "msgspec", "filelock", "vendi_score", "jinja2", "PIL"),
    *("threadpoolctl", "pytest", "xdist", "hypothesis", "weightwatcher", "powerlaw"),
]


def driver() -> str:
    """What nvidia-smi says of the card: name, driver, memory."""
    fields = "--query-gpu=name,driver_version,memory.total"
    try:
        return subprocess.run(
            ["nvidia-smi", fields, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        ).stdout.strip()
    except OSError:
        return "no nvidia-smi"


def compiling() -> dict[str, str | None]:
    """What torch.compile needs on a GPU: a C compiler, Python's headers, Triton."""
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return {
        "c_compiler": shutil.which("cc") or shutil.which("gcc"),
        "python_headers": str(headers) if headers.exists() else None,
        "triton": loaded(["triton"], {}).get("triton"),
    }


def modules_of_ddiv() -> list[str]:
    """Their names, but for `ddiv.__main__`, which would run."""
    import ddiv

    names = [module.name for module in pkgutil.walk_packages(ddiv.__path__, "ddiv.")]
    return ["ddiv", *(name for name in names if not name.endswith("__main__"))]


def loaded(names: list[str], errors: dict[str, str]) -> dict[str, str]:
    """The versions of the modules that can be imported; adds the others to `errors`."""
    versions = {}
    for name in names:
        try:
            versions[name] = str(getattr(import_module(name), "__version__", "unknown"))
        except Exception as error:  # a broken package raises whatever it likes
            errors[name] = f"{type(error).__name__}: {error}"
    return versions


def examine() -> tuple[dict, dict[str, str]]:
    """The machine and its versions, and what cannot be loaded."""
    errors: dict[str, str] = {}
    versions = loaded(PACKAGES, errors)
    try:
        modules = modules_of_ddiv()
    except Exception as error:
        modules = []
        errors["ddiv"] = f"{type(error).__name__}: {error}"
    count = len(loaded(modules, errors))
    machine = {
        "driver": driver(),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "versions": versions,
        "modules_of_ddiv": count,
        "compiling": compiling(),
        "multi_process_service": shutil.which(SERVICE),
    }
    return machine, errors


def cuda() -> dict:
    """What torch says of CUDA, and of the card."""
    import torch

    if not torch.cuda.is_available():
        return {"cuda": None}
    capability = ".".join(map(str, torch.cuda.get_device_capability()))
    return {
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "card": torch.cuda.get_device_name(),
        "capability": capability,
        "bf16": torch.cuda.is_bf16_supported(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write this too")
    out = parser.parse_args().out
    machine, errors = examine()
    machine |= {} if "torch" in errors else cuda()
    machine["errors"] = errors
    text = json.dumps(machine, indent=2)
    if out:
        out.write_text(text + "\n", "utf-8")
    print(text)
    for name, error in errors.items():
        print(f"MISSING {name}: {error}")
    if errors:
        sys.exit(1)
    print(f"all packages and all {machine['modules_of_ddiv']} modules of ddiv load")


if __name__ == "__main__":
    main()
