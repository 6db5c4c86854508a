"""What a function uses that its source does not tell: files, and code that is found on the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ddiv.common.modules import Module

# Calls that run code which the source does not show, and those that bring what lies elsewhere.
_CODE = re.compile(
    r"exec|eval|run_path|run_module|spec_from_file_location|exec_module|load_source"
    r"|CDLL|PyDLL|entry_points"
)

_READS = re.compile(
    r"open|fdopen|read_\w+|load|load_(?!state_dict$|digits$|iris$|wine$|breast_cancer$)\w+|loadtxt|genfromtxt"
    r"|from_?file|memmap|imread|from_pretrained|create_model_and_transforms|urlopen|urlretrieve"
    r"|getenv|listdir|scandir|iterdir|r?glob|walk|ImageFolder|DatasetFolder|safe_open"
    r"|check_output|Popen|download\w*|fetch_\w+"
)

# Modules that are there to read files, to ask a network or to start programs: whatever of theirs is
# called may bring something.
_READERS = re.compile(
    r"(torchvision|torchaudio|torchtext|torch_geometric)\.datasets\."
    r"|(h5py|zarr|lmdb|sqlite3|duckdb|pyarrow|zipfile|tarfile|gzip|bz2|lzma|shelve|dbm|subprocess"
    r"|requests|urllib(?!\.parse)|urllib3|httpx2?|aiohttp|socket|ftplib|boto3|s3fs|fsspec|gdown|kagglehub"
    r"|huggingface_hub|datasets|medmnist|wilds|sentence_transformers|webdataset|tensorflow_datasets"
    r"|tifffile|nibabel|pydicom|soundfile|librosa)\."
)

# Functions whose second argument says which weights a model is given.
_MODELS = (
    "create_model",
    "get_model",
    "create_model_and_transforms",
    "create_model_from_pretrained",
)

_WEIGHTS = (
    "weights",
    "weights_backbone",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "checkpoint_path",
)

_ELSEWHERE = {"os.environ", "sys.argv", "sys.modules"}


def unseen(module: Module, statement: ast.stmt) -> Iterator[tuple[str, int]]:
    """Each such use in a statement: the name of what is used, and its line."""
    for node in ast.walk(statement):
        match node:
            case ast.Name(id="exec" | "eval" | "open" as name) if name not in module.binding:
                yield name, node.lineno
            case ast.Call():
                name = called(module, node.func)
                if _is_unseen(module, node, name):
                    yield name, node.lineno
            case ast.Attribute(ast.Name(id=base), attr) if f"{base}.{attr}" in _ELSEWHERE:
                yield f"{base}.{attr}", node.lineno
            case ast.Name(id=name):
                for base, _, attribute in module.imports.get(name, ()):
                    if f"{base}.{attribute}" in _ELSEWHERE:
                        yield f"{base}.{attribute}", node.lineno


def called(module: Module, function: ast.expr) -> str:
    """The last name of what is called, where it was made: of `from json import load as l`, load."""
    match function:
        case ast.Attribute(attr=name):
            return name
        case ast.Name(id=name):
            names = [attribute for _, _, attribute in module.imports.get(name, ()) if attribute]
            return names[0] if names else name
    return ""


def _is_unseen(module: Module, call: ast.Call, name: str) -> bool:
    if name in ("import_module", "__import__"):
        return not (len(call.args) == 1 and isinstance(call.args[0], ast.Constant))
    if isinstance(call.func, ast.Name):
        bound = call.func.id in module.binding
        if bound and call.func.id not in module.imports:
            return False  # a function of the file, whose source is looked at
    if _of_a_reader(module, call.func):
        return True
    weights = [each.value for each in call.keywords if each.arg in _WEIGHTS]
    weights += call.args[1:2] if name in _MODELS else []
    if any(not _is_none(value) for value in weights):
        return True
    return bool(_CODE.fullmatch(name) or _READS.fullmatch(name))


def _of_a_reader(module: Module, called: ast.expr) -> bool:
    """Whether what is called comes from one of the `_READERS`."""
    path: list[str] = []
    while isinstance(called, ast.Attribute):
        path.insert(0, called.attr)
        called = called.value
    found = module.imports.get(called.id, ()) if isinstance(called, ast.Name) else ()
    return any(
        _READERS.match(".".join([*filter(None, (name, attribute)), *path, ""]))
        for name, _, attribute in found
    )


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in (None, False)
