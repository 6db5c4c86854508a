"""What numbers of spectra mean (v1 table 1), and the phases of small networks (Martin and Mahoney,
MM).

v1 2.2: "Table 1 describes how the changes in these metrics may reflect the changes in weight space
and the corresponding characteristics of its spectrum." A larger alpha: "Less complex W, fewer
directions dominate", "A sharper drop-off in ESD"; a smaller one: "more dominant directions", "more
eigenvalues with large magnitudes". A larger entropy: "More uniform distribution of λ across the
spectrum"; a smaller one: "More concentrated around a few large λ". More num_pl_spikes: "More λ
separate from the W_rand". It "counts the number of eigenvalues that are larger than xmin".

MM: "For smaller and/or older DNNs, this Implicit Self-Regularization is like traditional Tikhonov
regularization, in that there is a `size scale' separating signal from noise. For state-of-the-art
DNNs, however, we identify a novel form of Heavy-Tailed Self-Regularization"; "we can cause a small
model to exhibit all 5+1 phases of training simply by changing the batch size".

Of table 1 matrices are asked of which it is known what they hold (`fixtures.planted_spectra`), and
a small network over batch sizes (`fixtures.small_nets`). Concentrated is a spectrum of which the
largest tenth of eigenvalues has a large share of the sum. A scale between signal and noise is there
where the eigenvalues below the spikes follow the Marchenko-Pastur (MP) law. The bounds are ours,
fixed before the claims' seeds were looked at.
"""

from functools import partial

from ddiv.claim import Everywhere, Graded, Measured, Question, Threshold, Trend
from ddiv.claim.declare import claim, each
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Spectral
from ddiv.study import Number, Study
from ddiv.treatment import BASELINE
from fixtures.arms import FC1, called, fine_tuned, from_scratch, having
from fixtures.planted_spectra import FAMILIES, PLANTED, counted, phases_of_planted, shapes
from fixtures.small_nets import walked

# A count is right that is off by no more than this share of the eigenvalues.
RIGHT = 0.05
# All 5+1 phases are more than this many.
FIVE = 5.5

# Numbers of a spectrum that are said to tell its concentration. v1's entropies are the tool's,
# normalised; its formula is the raw one.
each_number = each(number=("alpha", "entropy", "entropy_raw"))


of_planted = partial(claim, needs="experiments", on=having("planted spectra"))
of_small_nets = partial(claim, needs="experiments", on=having("small nets"))


def along(number: str) -> tuple[tuple[float, Number], ...]:
    """A number of `counted` along the number of planted directions."""
    return tuple((planted, counted(number, planted=planted)) for planted in PLANTED)


# --- num_pl_spikes ------------------------------------------------------------------------------


@of_planted(
    "table1-spikes",
    "The more directions stand out of noise, the larger num_pl_spikes.",
    source="v1 table 1",
)
@called("more directions")
def test_spikes_rise_with_planted_directions(study: Study, called: str) -> Question:
    return Graded(along("spikes"), RISES, along="planted directions")


@of_planted(
    "table1-spikes",
    "num_pl_spikes counts the eigenvalues that stand out of noise: it is the number of planted "
    f"directions, within {RIGHT:.0%} of all eigenvalues, whatever their number.",
    source="v1 table 1",
)
@called("count")
def test_spikes_count_planted_directions(study: Study, called: str) -> Question:
    return Everywhere(along("spikes_off"), FALLS, RIGHT, along="planted directions")


@of_planted(
    "table1-spikes",
    "The number of eigenvalues beyond the edge of the MP law is that of planted directions, within "
    f"{RIGHT:.0%} of all eigenvalues, whatever their number.",
    source="ours: it shows that they can be counted",
)
@called("beyond the edge")
def test_the_edge_counts_planted_directions(study: Study, called: str) -> Question:
    return Everywhere(along("edge_off"), FALLS, RIGHT, along="planted directions")


@of_small_nets(
    "table1-spikes",
    "Over batch sizes num_pl_spikes of a trained layer goes with the number of eigenvalues beyond "
    "the edge of the MP law.",
    source="v1 table 1",
)
@called("trained")
def test_spikes_of_trained_layers_go_with_the_edge(study: Study, called: str) -> Question:
    return Measured(walked("spikes"), RISES)


# --- alpha and entropy --------------------------------------------------------------------------


@of_planted(
    "table1-shape",
    "The larger alpha (the entropy), the less concentrated a spectrum, over spectra that differ in "
    "one thing.",
    source="v1 table 1",
)
@each_number
@each(family=FAMILIES)
def test_shape_tells_concentration(study: Study, number: str, family: str) -> Question:
    return Measured(shapes(number, family=family), FALLS)


@of_small_nets(
    "table1-shape",
    "The larger alpha (the entropy) of a trained layer, the less concentrated its spectrum, over "
    "batch sizes.",
    source="v1 table 1",
)
@each_number
@called("trained")
def test_shape_of_trained_layers_tells_concentration(
    study: Study, called: str, number: str
) -> Question:
    return Measured(walked(number), FALLS)


# --- phases and scale ---------------------------------------------------------------------------


@of_small_nets(
    "phases-all",
    "Batch size alone takes a small network's layer through all 5+1 phases: each is seen at some "
    "size from one example to the whole training set.",
    source="MM",
)
@called("trained")
def test_batch_size_alone_shows_all_phases(study: Study, called: str) -> Question:
    """As `batch-phases`, of a layer with 128 eigenvalues, and down to one example a step."""
    return Measured(walked("seen"), RISES, FIVE)


@of_small_nets(
    "phases-all",
    "The smaller the batch, the further a small network's layer is on its way through the phases.",
    source="MM",
)
@called("in order")
def test_phases_come_in_order(study: Study, called: str) -> Question:
    return Measured(walked("order"), FALLS)


@of_planted(
    "phases-all",
    "Of matrices built to be in the 5+1 phases all six phases are named.",
    source="ours: it shows that they can be seen",
)
@called("planted")
def test_all_phases_of_planted_matrices_are_named(study: Study, called: str) -> Question:
    return Measured(phases_of_planted("seen"), RISES, FIVE)


@claim(
    "size-scale",
    "Small networks have a scale that separates signal from noise: below the spikes of a typical "
    "layer the eigenvalues follow the MP law.",
    source="MM",
    on=from_scratch,
)
@called("small")
def test_small_networks_have_a_scale(study: Study, called: str) -> Question:
    """Small networks are those trained from scratch."""
    return Threshold(Spectral("mp_bulk_ks", "all"), BASELINE, 1.0, FALLS)


@claim(
    "size-scale",
    "Heavy-tailed networks have no scale that separates signal from noise: below the spikes of a "
    "typical layer of a pre-trained encoder the eigenvalues do not follow the MP law.",
    source="MM",
    on=fine_tuned,
)
@called("heavy-tailed")
def test_heavy_tailed_networks_have_none(study: Study, called: str) -> Question:
    """Pre-trained encoders stand for "state-of-the-art"; ours are small."""
    return Threshold(Spectral("mp_bulk_ks", "encoder"), BASELINE, 1.0, RISES)


@claim(
    "size-scale",
    "The smaller the batch, the less of a scale: the further the eigenvalues of the first fully "
    "connected layer below its spikes lie from the MP law.",
    source="MM",
    needs=("batches",),
)
@called("batch")
def test_the_scale_goes_as_the_batch_shrinks(study: Study, called: str) -> Question:
    return Trend(Spectral("mp_bulk_ks", FC1), study.by_batch(), FALLS)


@of_small_nets(
    "size-scale",
    "Trained in one batch a small network's layer has a scale: below its spikes the eigenvalues "
    "follow the MP law.",
    source="MM",
)
@called("one batch")
def test_the_scale_of_a_small_network(study: Study, called: str) -> Question:
    return Measured(walked("first"), FALLS, 1.0)


@of_small_nets("size-scale", "Trained on one example a step it has none.", source="MM")
@called("one example")
def test_no_scale_at_one_example_a_step(study: Study, called: str) -> Question:
    return Measured(walked("last"), RISES, 1.0)


# --- control ------------------------------------------------------------------------------------


@of_planted(
    "control-spectra",
    "Where no direction is planted, num_pl_spikes says so: it is none, within "
    f"{RIGHT:.0%} of all eigenvalues.",
    source="ours: a negative control, as every power-law fit has a tail",
    guards="spectra",
)
@called("noise")
def test_noise_has_no_spikes(study: Study, called: str) -> Question:
    return Measured(counted("spikes_off", planted=0), FALLS, RIGHT)
