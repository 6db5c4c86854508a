"""BERT as an encoder of texts, ddiv's own small one and real checkpoints alike
(`ddiv.models.bert_files` finds them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ddiv.models.bert_files import load_model, load_tokenizer
from ddiv.study import Bert

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerBase


class BertEncoder(nn.Module):
    """Ids int64 (n, L) as `tokenise` makes them, 0 = padding on the right, to BERT's pooled output
    (n, width).

    That is tanh of a linear map of the first token's last state, which
    BertForSequenceClassification classifies (Devlin et al. 2019). Columns that are padding
    throughout the batch are cut off before anything is computed.
    """

    def __init__(self, bert: BertModel, pad: int = 0):
        super().__init__()
        self.bert = bert
        self.pad = pad
        self.width = bert.config.hidden_size

    def forward(self, ids: Tensor) -> Tensor:
        return self._outputs(ids)[0].pooler_output

    def mean_state(self, ids: Tensor) -> Tensor:
        """The mean (n, width) of the last states over a text's tokens: the pooling of Reimers and
        Gurevych (2019).
        """
        outputs, present = self._outputs(ids)
        weights = present[:, :, None].to(outputs.last_hidden_state.dtype)
        return (outputs.last_hidden_state * weights).sum(1) / weights.sum(1)

    def _outputs(self, ids: Tensor):
        present = ids != 0
        longest = int(present.any(0).nonzero()[-1]) + 1
        ids, present = ids[:, :longest], present[:, :longest]
        return self.bert(
            input_ids=_exchanged(ids, self.pad), attention_mask=present.long()
        ), present

    @property
    def hidden_dropouts(self) -> tuple[nn.Module, ...]:
        """The modules whose output BERT's own `hidden_dropout_prob` drops: of the embeddings, and
        of each layer's two parts.

        A forward hook on them sees the activations before the residual sum. They are called in
        training and evaluation.
        """
        blocks = (
            part.dropout
            for layer in self.bert.encoder.layer
            for part in (layer.attention.output, layer.output)
        )
        return (self.bert.embeddings.dropout, *blocks)

    @property
    def attention_dropouts(self) -> tuple[nn.Dropout, ...]:
        """The modules whose `p` is the rate at which attention weights are dropped, in training
        only.

        transformers never calls them: its attention reads `p` (BertSelfAttention.forward) and hands
        it to the kernel, so hooks would do nothing, and setting `p` does.
        """
        return tuple(layer.attention.self.dropout for layer in self.bert.encoder.layer)


@dataclass(frozen=True)
class BertParts:
    """An encoder in evaluation mode, every dropout rate 0, and the tokenizer that belongs to it."""

    encoder: BertEncoder
    tokenizer: PreTrainedTokenizerBase


def load(spec: Bert) -> BertParts:
    """The pre-trained BERT of a spec, on the CPU.

    Raises NoModel where it is not at hand or not a whole BERT.

    Hub ids go by Hugging Face's own settings (HF_HOME, HF_HUB_OFFLINE). A local folder is the one
    in $DDIV_BERT, and has to have the digest that the spec names (`folder_digest`). Raises
    ValueError on a `max_tokens` that no text fits in, or that the model has no positions for.
    """
    bert, tokenizer = load_model(spec.weights), load_tokenizer(spec.weights)
    positions = bert.config.max_position_embeddings
    if not 3 <= spec.max_tokens <= positions:
        raise ValueError(
            f"max_tokens of BERT {spec.weights[:30]} lies between 3 (two are marks) and its {positions} "
            f"positions, got {spec.max_tokens}"
        )
    return BertParts(BertEncoder(bert, tokenizer.pad_token_id).eval(), tokenizer)


def tokenise(spec: Bert, texts: Sequence[str] | np.ndarray) -> Tensor:
    """Ids int64 (n, L) of texts (n,), cut after `spec.max_tokens`; L is the longest's length, 0
    pads the shorter.

    In a vocabulary whose padding is not number 0 the two numbers change places; `BertEncoder`
    changes them back. Raises ValueError where a text is no string or has no word in it.
    """
    texts = list(texts)
    if (
        bad := next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
    ) is not None:
        raise ValueError(
            f"text {bad} is a {type(texts[bad]).__name__}, not a string: leave missing narratives out"
        )
    tokenizer = load_tokenizer(spec.weights)
    ids = tokenizer(
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
        raise ValueError(
            f"text {int(empty[0])} has no word in it ({texts[int(empty[0])]!r}): leave empty ones out"
        )
    return ids


@torch.inference_mode()
def embed(
    spec: Bert,
    texts: Sequence[str] | np.ndarray,
    device: torch.device = torch.device("cpu"),
    batch: int = 64,
) -> np.ndarray:
    """The mean of the last hidden states over each text's tokens, float32 (n, width), not scaled
    (`BertEncoder.mean_state`).

    Texts are batched by length, so that little padding is computed; the result is in their own
    order.
    """
    ids, encoder = tokenise(spec, texts), _embedding_encoder(spec, device)
    order = (ids != 0).sum(1).argsort(stable=True)
    rows = torch.cat(
        [encoder.mean_state(ids[part].to(device)).float().cpu() for part in order.split(batch)]
    )
    out = torch.empty_like(rows)
    out[order] = rows
    return out.numpy()


@lru_cache(maxsize=1)
def _embedding_encoder(spec: Bert, device: torch.device) -> BertEncoder:
    return load(spec).encoder.to(device)


def _exchanged(ids: Tensor, pad: int) -> Tensor:
    """The ids with the numbers 0 and `pad` in each other's place; its own inverse."""
    return ids if pad == 0 else torch.where(ids == 0, pad, torch.where(ids == pad, 0, ids))
