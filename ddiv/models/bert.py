"""BERT as an encoder of texts: ddiv's own small one, and real checkpoints.

`ddiv.models.bert_files` finds their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from ddiv.models.bert_files import load_model, load_tokenizer
from ddiv.study import Bert

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerBase
    from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions


class BertEncoder(nn.Module):
    """BERT from ids int64 (n, L), as `tokenise` makes them, to its pooled output (n, width).

    The pooled output is tanh of a linear map of the first token's last state;
    BertForSequenceClassification classifies it (Devlin et al. 2019). Id 0 is padding, on the right.
    Columns that are padding in the whole batch are cut off before anything is computed.
    """

    def __init__(self, bert: BertModel, pad: int = 0) -> None:
        super().__init__()
        self.bert = bert
        self.pad = pad
        self.width: int = bert.config.hidden_size

    def forward(self, ids: Tensor) -> Tensor:
        outputs, _ = self._outputs(ids)
        return cast(Tensor, outputs.pooler_output)

    def mean_state(self, ids: Tensor) -> Tensor:
        """The mean (n, width) of a text's last states (Reimers and Gurevych 2019)."""
        outputs, present = self._outputs(ids)
        states = cast(Tensor, outputs.last_hidden_state)
        weights = present[:, :, None].to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1)

    def _outputs(self, ids: Tensor) -> tuple[BaseModelOutputWithPoolingAndCrossAttentions, Tensor]:
        """BERT's outputs, and where tokens are, bool (n, longest)."""
        present = ids != 0
        longest = int(present.any(0).nonzero()[-1]) + 1
        ids, present = ids[:, :longest], present[:, :longest]
        outputs = self.bert(input_ids=_exchanged(ids, self.pad), attention_mask=present.long())
        return outputs, present

    @property
    def hidden_dropouts(self) -> tuple[nn.Module, ...]:
        """The modules on whose output BERT's own `hidden_dropout_prob` acts.

        They are in the embeddings and in both parts of each layer. A forward hook on them sees the
        activations before the residual sum. They are called in training and in evaluation.
        """
        paths = ("attention.output.dropout", "output.dropout")
        blocks = (layer.get_submodule(path) for layer in self._layers for path in paths)
        return (self.bert.get_submodule("embeddings.dropout"), *blocks)

    @property
    def attention_dropouts(self) -> tuple[nn.Dropout, ...]:
        """The modules whose `p` is the rate at which attention drops its weights, in training only.

        Hooks on them would do nothing, because they are never called: transformers' attention reads
        `p` (BertSelfAttention.forward) and hands it to the kernel. So `p` has to be set.
        """
        return tuple(
            cast(nn.Dropout, layer.get_submodule("attention.self.dropout"))
            for layer in self._layers
        )

    @property
    def _layers(self) -> list[nn.Module]:
        return list(self.bert.get_submodule("encoder.layer").children())


@dataclass(frozen=True)
class BertParts:
    """An encoder in evaluation mode, every dropout rate 0, and the tokenizer that belongs to it."""

    encoder: BertEncoder
    tokenizer: PreTrainedTokenizerBase


def load(spec: Bert) -> BertParts:
    """The pre-trained BERT of a spec, on the CPU.

    Hub ids go by Hugging Face's own settings (HF_HOME, HF_HUB_OFFLINE). A local folder is the one
    in $DDIV_BERT, and has to have the digest that the spec names (`folder_digest`). Raises NoModel
    where the model is not at hand or not a whole BERT, ValueError on a `max_tokens` that no text
    fits in, or that the model has no positions for.
    """
    bert, tokenizer = load_model(spec.weights), load_tokenizer(spec.weights)
    positions = bert.config.max_position_embeddings
    if not 3 <= spec.max_tokens <= positions:
        raise ValueError(
            f"max_tokens of BERT {spec.weights[:30]} lies between 3 (two are marks) and its "
            f"{positions} positions, got {spec.max_tokens}"
        )
    return BertParts(BertEncoder(bert, tokenizer.pad_token_id).eval(), tokenizer)


def tokenise(spec: Bert, texts: Sequence[str] | np.ndarray) -> Tensor:
    """Ids int64 (n, L) of texts (n,), cut after `spec.max_tokens`.

    L is the length of the longest text, and 0 pads the shorter ones. In a vocabulary whose padding
    is not number 0 the two numbers change places; `BertEncoder` changes them back. Raises
    ValueError where a text is no string or has no word in it.
    """
    texts = list(texts)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"text {number} is a {type(text).__name__}, not a string: leave missing narratives "
                "out"
            )
    tokenizer = load_tokenizer(spec.weights)
    ids: Tensor = tokenizer(
        texts,
        padding=True,
        truncation=True,
        max_length=spec.max_tokens,
        return_tensors="pt",
        return_attention_mask=False,
        return_token_type_ids=False,
    )["input_ids"]
    ids = _exchanged(ids, tokenizer.pad_token_id)
    if len(empty := ((ids != 0).sum(1) < 3).nonzero()):
        first = int(empty[0])
        raise ValueError(f"text {first} has no word in it ({texts[first]!r}): leave empty ones out")
    return ids


@torch.inference_mode()
def embed(
    spec: Bert,
    texts: Sequence[str] | np.ndarray,
    device: torch.device | None = None,
    batch: int = 64,
) -> np.ndarray:
    """The mean of each text's last hidden states (`BertEncoder.mean_state`), float32 (n, width).

    The vectors are not scaled. `device` is the CPU by default. Texts are batched by length, so that
    little padding is computed; the rows are in the order of the texts.
    """
    device = device or torch.device("cpu")
    ids, encoder = tokenise(spec, texts), _embedding_encoder(spec, device)
    order = (ids != 0).sum(1).argsort(stable=True)
    parts = torch.split(order, batch)
    by_length = torch.cat(
        [encoder.mean_state(ids[part].to(device)).float().cpu() for part in parts]
    )
    rows = torch.empty_like(by_length)
    rows[order] = by_length
    return rows.numpy()


@lru_cache(maxsize=1)
def _embedding_encoder(spec: Bert, device: torch.device) -> BertEncoder:
    return load(spec).encoder.to(device)


def _exchanged(ids: Tensor, pad: int) -> Tensor:
    """The ids with the numbers 0 and `pad` in each other's place; its own inverse."""
    if pad == 0:
        return ids
    return torch.where(ids == 0, pad, torch.where(ids == pad, 0, ids))
