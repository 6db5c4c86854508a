"""Groups of layers: every weight matrix is in its own, and a convolution counts once."""

import msgspec
import numpy as np
import pytest
import torch

from ddiv.models.build import build
from ddiv.outcome import LayerValue, Snapshot, Spectral, by_layer, layers, value
from ddiv.profiles import studies
from ddiv.profiles.choose import profile
from ddiv.profiles.studies import bert
from ddiv.spectra.matrices import weight_matrices
from ddiv.study import ResNet18

EMBEDDED = profile("embedded").studies[0].backbone
ROWS = [
    ("head", "linear", "classifier"),
    ("encoder.attn.q", "q", "encoder"),
    ("encoder.conv1.flat", "conv-flat", "encoder"),
    ("encoder.conv1.pooled", "conv-pooled", "encoder"),
    ("encoder.fc1", "mlp", "encoder"),
    ("encoder.proj", "other", "encoder"),
]


def record_layers(rows=ROWS):
    """(main, further) views of matrices given as (name, kind, view)."""
    return layers.memberships([dict(zip(("name", "kind", "view"), row)) for row in rows])


def of_network(backbone) -> list[tuple[str, str, str]]:
    torch.manual_seed(0)
    network, _ = build(backbone, list(map(str, range(60))))
    matrices = weight_matrices(network)
    return [
        (one.name, one.kind, "classifier" if one.name.startswith("head") else "encoder")
        for one in matrices
    ]


def members(view: str, rows, convolution="pooled") -> list[str]:
    mask = layers.chosen(view, convolution, *record_layers(rows))
    return [name for (name, *_), chosen in zip(rows, mask) if chosen]


def test_a_vision_transformer_has_attention_and_feed_forward_parts():
    rows = of_network(EMBEDDED)
    for letter in "qkv":
        assert members(f"attention-{letter}", rows) == [
            f"encoder.transformer.resblocks.{i}.attn.{letter}" for i in range(3)
        ]
    assert members("attention-out", rows) == [
        f"encoder.transformer.resblocks.{i}.attn.out_proj" for i in range(3)
    ]
    assert len(members("feed-forward", rows)) == 6 and members("convolution", rows) == [
        "encoder.conv1.pooled"
    ]
    assert members("classifier", rows) == ["head"]
    assert sorted(members("all", rows)) == sorted(["head", *members("encoder", rows)])


def test_layers_as_weightwatcher_lists_them_lack_bare_parameters():
    """Those of v1's tables: of the vision tower the patches' convolution, and of each block the
    output of the attention and both layers of the MLP.
    """
    listed = members("encoder-without-qkv", of_network(EMBEDDED))
    blocks = [f"encoder.transformer.resblocks.{i}." for i in range(3)]
    assert listed == [
        "encoder.conv1.pooled",
        *(
            block + layer
            for block in blocks
            for layer in ("attn.out_proj", "mlp.c_fc", "mlp.c_proj")
        ),
    ]
    rows = of_network(EMBEDDED)
    assert members("all-without-qkv", rows) == sorted(["head", *listed], key=order_of(rows))
    # Layers of their own in a modified ResNet's pooling, and in a BERT.
    pooling = members("encoder-without-qkv", of_network(studies.clip_resnet()))
    assert {f"encoder.attnpool.{letter}_proj" for letter in "qkvc"} <= {*pooling}
    rows = of_network(studies.bert())
    assert members("encoder-without-qkv", rows) == members("encoder", rows)


def order_of(rows):
    return [name for name, *_ in rows].index


def test_a_resnet_has_convolutions_and_each_counts_once():
    rows = of_network(ResNet18(width=8, stem_stride=2))
    pooled, flat = members("encoder", rows), members("encoder", rows, "flat")
    assert len(pooled) == len(flat) == 20 and not set(pooled) & set(flat)
    assert members("convolution", rows) == pooled and members("convolution", rows, "flat") == flat
    assert members("layer:encoder.layer1.0.conv1", rows, "flat") == ["encoder.layer1.0.conv1.flat"]
    with pytest.raises(
        layers.NoSuchLayer,
        match="the layer group 'attention-q'; it has: all, classifier, encoder, convolution, ",
    ):
        members("attention-q", rows)


def test_the_pooler_of_a_bert_is_a_group_of_its_own_and_of_the_encoder():
    rows = of_network(bert())
    assert members("pooler", rows) == ["encoder.bert.pooler.dense"]
    assert "encoder.bert.pooler.dense" in members("encoder", rows)
    assert members("classifier", rows) == ["head"]
    snapshot = Snapshot({}, *_in_snapshot(record_layers(rows)))
    assert "pooler" in snapshot.available
    with pytest.raises(layers.NoSuchLayer, match="the layer group 'pooler'; it has: all"):
        members("pooler", ROWS)


def test_views_are_listed_and_each_of_them_can_be_read():
    snapshot = Snapshot({"spectral_norm": np.arange(6.0)}, *_in_snapshot(record_layers()))
    assert snapshot.available == [
        "all",
        "classifier",
        "encoder",
        "attention-q",
        "feed-forward",
        "convolution",
        "encoder-without-qkv",
        "all-without-qkv",
        "layer:head",
        "layer:encoder.attn.q",
        "layer:encoder.conv1",
        "layer:encoder.fc1",
        "layer:encoder.proj",
    ]
    assert [value(Spectral("spectral_norm", view), snapshot) for view in snapshot.available] == [
        (0 + 1 + 3 + 4 + 5) / 5,
        0,
        (1 + 3 + 4 + 5) / 4,
        1,
        4,
        3,
        (3 + 4) / 2,
        (0 + 3 + 4) / 3,
        0,
        1,
        3,
        4,
        5,
    ]


def test_values_layer_by_layer():
    table = {"alpha": np.arange(6.0), "reliable": np.array([1.0, 1, 0, 0, 1, 1])}
    snapshot = Snapshot(table, *_in_snapshot(record_layers()))
    assert by_layer(Spectral("alpha", "encoder"), snapshot) == [
        LayerValue("encoder.attn.q", 1.0, True),
        LayerValue("encoder.conv1", 3.0, False),
        LayerValue("encoder.fc1", 4.0, True),
        LayerValue("encoder.proj", 5.0, True),
    ]
    assert by_layer(Spectral("alpha", "convolution", "flat"), snapshot) == [
        LayerValue("encoder.conv1", 2.0, False)
    ]


def test_a_stored_question_about_another_view_is_not_read():
    head = Spectral("alpha", "layer:head")
    assert msgspec.json.decode(msgspec.json.encode(head), type=Spectral) == head
    for view in ("attention", "layer:", "classifier "):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(msgspec.json.encode(Spectral("alpha", view)), type=Spectral)


def _in_snapshot(views):
    main, further = views
    return main, {}, further
