"""Build the embedded BERT from nothing: learn word pieces, then train on the world's complaints.

Run ``python -m ddiv.models.pretrain_bert`` (with ``--seed 1`` or ``2`` for the other checkpoints
that ship). It writes complaints of the 60 pre-training classes in all registers, learns the
vocabulary from them (WordPiece) and trains BERT on two tasks at once. The first is to restore
masked pieces (Devlin et al. 2019: 15 % of all pieces are masked; 80 % of these are hidden, 10 %
replaced, 10 % left as they are). The second is to say from the pooled output alone which pieces the
text holds (bag-of-words prediction, Ma et al. 2024, arXiv 2401.11248). It takes the place of BERT's
next-sentence task: without such a task nothing trains the pooler, and a model as small as this one
learns to classify badly from a random pooler. The script measures the first task on texts that
training has never seen, and writes checkpoint and provenance.
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import BertWordPieceTokenizer
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    BertForPreTraining,
    DataCollatorForLanguageModeling,
    get_cosine_schedule_with_warmup,
)

from ddiv.data.worlds.complaints import (
    FINETUNE_CLASSES,
    REGISTERS,
    WORLD_VERSION,
    pretraining_texts,
    write,
)
from ddiv.models.bert_files import REBUILD, BertSizes, save_bert, wordpiece_tokenizer
from ddiv.models.shipped import weights_path

# One seed always gives the same texts, so pre-training uses seeds that no study picks.
FIRST_SEED = 7_000_000

TEST_SEED = 6_999_999

TEST_TEXTS = 2000

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # numbers 0 to 4


@dataclass(frozen=True)
class Recipe:
    """How to pre-train; the defaults made the checkpoint that ships."""

    texts: int = 16_000
    pieces: int = 1800
    epochs: int = 7
    batch: int = 32
    lr: float = 3e-3
    weight_decay: float = 0.01
    seed: int = 0


def vocabulary(texts: Sequence[str], pieces: int) -> list[str]:
    """At most this many word pieces, lower-cased, in the order of their ids.

    The special pieces come first, then letters, then longer pieces.
    """
    tokenizer, texts = BertWordPieceTokenizer(lowercase=True), list(texts)
    # The trainer numbers letters inside words in the order of a randomly seeded hash table, and
    # settles ties between merges by these numbers, so the same texts would give another vocabulary
    # each time. Letters that are named among the special tokens have fixed numbers.
    inner = sorted({f"##{letter}" for text in texts for letter in text.lower() if letter.isalnum()})
    tokenizer.train_from_iterator(
        iter(texts), vocab_size=pieces, special_tokens=[*SPECIAL, *inner], show_progress=False
    )
    numbers: dict[str, int] = tokenizer.get_vocab()
    return sorted(numbers, key=numbers.__getitem__)


def token_ids(pieces: Sequence[str], texts: Sequence[str], longest: int) -> Tensor:
    """Ids int64 (n, L) of texts cut after `longest` tokens, 0 = padding."""
    ids = wordpiece_tokenizer(pieces)(
        list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
    )["input_ids"]
    return cast(Tensor, ids)


def masking(pieces: Sequence[str], seed: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """A function that masks words of ids (n, L), drawing anew at each call.

    It gives the ids with masked words, and the words to restore, -100 elsewhere.
    """
    collator = DataCollatorForLanguageModeling(
        wordpiece_tokenizer(pieces), mlm_probability=0.15, seed=seed
    )
    collator.create_rng()  # type: ignore[no-untyped-call]  # transformers leaves it untyped

    def mask(ids: Tensor) -> tuple[Tensor, Tensor]:
        special = ids < len(SPECIAL)
        return collator.torch_mask_tokens(ids.clone(), special_tokens_mask=special)

    return mask


def _batches(lengths: Tensor, size: int, rng: torch.Generator) -> list[Tensor]:
    """Row numbers of one epoch's batches, in random order.

    A batch holds texts of about the same length, so that it needs little padding.
    """
    rows = torch.randperm(len(lengths), generator=rng)
    pools = [pool[lengths[pool].argsort(stable=True)] for pool in torch.split(rows, 20 * size)]
    batches = [batch for pool in pools for batch in torch.split(pool, size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=rng)]


def _scores(
    model: BertForPreTraining, ids: Tensor, hidden: Tensor, words: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (m, pieces) of the words to restore, their numbers (m,), and pooled outputs (n, d).

    `ids` are the texts (n, L), `hidden` the same with masked words, `words` the words to restore.
    Only masked places are scored, since scores over the vocabulary at all places would cost more
    than the encoder.
    """
    longest = int((ids != 0).sum(1).max())
    hidden, words, present = hidden[:, :longest], words[:, :longest], (ids != 0)[:, :longest].long()
    masked = words != -100
    outputs = model.bert(input_ids=hidden, attention_mask=present)
    scores = model.cls.predictions(outputs.last_hidden_state[masked])
    return scores, words[masked], outputs.pooler_output


def _bag_loss(model: BertForPreTraining, pooled: Tensor, ids: Tensor) -> Tensor:
    """The loss in nats a piece of pooled outputs (n, d) on the pieces of their texts (n, L).

    Special pieces are left out.
    """
    counted = ids >= len(SPECIAL)
    guesses = F.log_softmax(model.cls.predictions(pooled), dim=1)
    return -(guesses.gather(1, ids) * counted).sum() / counted.sum()


def train(
    recipe: Recipe,
    sizes: BertSizes,
    pieces: Sequence[str],
    texts: Sequence[str],
    say: Callable[[str], None],
) -> tuple[BertForPreTraining, tuple[float, float]]:
    """The trained model, and its mean losses over the last epoch.

    They are nats a masked piece, and nats a piece of the bag.
    """
    ids = token_ids(pieces, texts, sizes.positions)
    lengths = (ids != 0).sum(1)
    torch.manual_seed(recipe.seed)
    model = BertForPreTraining(sizes.config(len(pieces))).train()
    groups = [
        {
            "params": [p for p in model.parameters() if p.ndim >= 2],
            "weight_decay": recipe.weight_decay,
        },
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), fused=True)
    steps = recipe.epochs * len(_batches(lengths, recipe.batch, torch.Generator()))
    schedule = get_cosine_schedule_with_warmup(optimiser, steps // 20, steps)
    mask, rng = masking(pieces, recipe.seed), torch.Generator().manual_seed(recipe.seed)
    mean, started = (math.nan, math.nan), time.perf_counter()
    for epoch in range(recipe.epochs):
        losses = []
        for rows in _batches(lengths, recipe.batch, rng):
            scores, words, pooled = _scores(model, ids[rows], *mask(ids[rows]))
            masked, bag = F.cross_entropy(scores, words), _bag_loss(model, pooled, ids[rows])
            optimiser.zero_grad(set_to_none=True)
            (masked + bag).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
            schedule.step()
            losses.append((float(masked.detach()), float(bag.detach())))
        masked_mean, bag_mean = np.mean(losses, axis=0).tolist()
        mean, spent = (masked_mean, bag_mean), time.perf_counter() - started
        left = spent / (epoch + 1) * (recipe.epochs - epoch - 1)
        say(
            f"epoch {epoch + 1}/{recipe.epochs}  losses {masked_mean:.3f} {bag_mean:.3f}  "
            f"{spent:.0f} s spent, about {left:.0f} s left"
        )
    return model.eval(), mean


@torch.inference_mode()
def restored(
    model: BertForPreTraining, pieces: Sequence[str], texts: Sequence[str], seed: int = 0
) -> tuple[float, float]:
    """The share of masked pieces that the model restores, and the share of the commonest piece.

    The second is the share that would be right if the commonest piece were always said.
    """
    ids = token_ids(pieces, texts, model.config.max_position_embeddings)
    mask, hits, masked = masking(pieces, seed), [], []
    for part in torch.split(ids, 250):
        scores, words, _ = _scores(model, part, *mask(part))
        hits.append(scores.argmax(1) == words)
        masked.append(words)
    commonest = float(torch.cat(masked).bincount().max()) / sum(map(len, masked))
    return float(torch.cat(hits).float().mean()), commonest


def held_out(
    model: BertForPreTraining, pieces: Sequence[str], n: int = TEST_TEXTS, seed: int = TEST_SEED
) -> dict[str, dict[str, float]]:
    """`restored` on n fresh texts of the fine-tuning classes, unseen in training, by register."""
    labels = (np.arange(n) % len(FINETUNE_CLASSES)).tolist()
    shares = {}
    for register in REGISTERS:
        texts = write(FINETUNE_CLASSES, labels, register, seed).tolist()
        shares[register] = restored(model, pieces, texts)
    return {
        "restored": {register: share for register, (share, _) in shares.items()},
        "commonest": {register: share for register, (_, share) in shares.items()},
    }


def rebuild(
    out: Path,
    recipe: Recipe = Recipe(),
    sizes: BertSizes | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train, measure, and write checkpoint and provenance to `out`; returns the provenance.

    `sizes` is `BertSizes()` by default.
    """
    started, sizes = time.perf_counter(), sizes or BertSizes()
    say(f"writing {recipe.texts} complaints")
    texts = pretraining_texts(recipe.texts, FIRST_SEED + recipe.seed).tolist()
    pieces = vocabulary(texts, recipe.pieces)
    model, (masked_loss, bag_loss) = train(recipe, sizes, pieces, texts, say)
    masked = held_out(model, pieces)
    command = f"{REBUILD} --texts {recipe.texts} --epochs {recipe.epochs} --seed {recipe.seed}"
    provenance = {
        "command": command,
        "recipe": asdict(recipe),
        "world_version": WORLD_VERSION,
        "seconds": round(time.perf_counter() - started, 1),
        "threads": torch.get_num_threads(),
        "final_loss": {"masked": masked_loss, "bag": bag_loss},
        "parameters": sum(p.numel() for p in model.bert.parameters()),
        "pieces": len(pieces),
        "masked_pieces": {"texts_per_register": TEST_TEXTS, "seed": TEST_SEED, **masked},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
    }
    record = save_bert(model.bert, sizes, pieces, out, provenance)
    shares = "  ".join(f"{name} {share:.3f}" for name, share in masked["restored"].items())
    say(f"masked pieces restored in unseen classes: {shares}")
    say(f"wrote {out} ({record['bytes'] / 1e6:.2f} MB) in {record['seconds']:.0f} s")
    return record


def main(argv: list[str] | None = None) -> None:
    """Command line: see the module's description."""
    parser = argparse.ArgumentParser(prog=REBUILD, description=__doc__)
    parser.add_argument(
        "--out", type=Path, help="the .safetensors file to write (default: the shipped one)"
    )
    parser.add_argument("--texts", type=int, default=Recipe.texts)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    recipe = Recipe(texts=args.texts, epochs=args.epochs, seed=args.seed)
    rebuild(args.out or weights_path("bert", args.seed), recipe)


if __name__ == "__main__":
    main()
