"""WeightWatcher's tables from files: what is read of them, and what is refused."""

import csv

import pytest

from ddiv.data.root import BadData
from ddiv.data.tables import absent_tables, arm_layers, pinned
from ddiv.study import TableArm, Tables, TableSet, study_of_tables
from ddiv.treatment import BASELINE, Dropout, Treatment

DROPPED = Treatment.of(Dropout(0.5))

COLUMNS = (
    "longname,layer_type,N,M,rf,num_evals,alpha,sigma,num_pl_spikes,entropy,norm,spectral_norm"
)

LAYERS = ("frozen.0", "encoder.conv", "encoder.fc", "head")


def row(name, alpha="3.0", norm="8.0"):
    conv = "conv" in name
    kind, positions = ("conv2d", 9) if conv else ("dense", 1)
    return f"{name},{kind},80,60,{positions},60,{alpha},0.2,20,0.9,{norm},2.0"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    for name in ("bs", "ft_bs", "dp", "ft_dp"):
        write(tmp_path / "mine" / f"{name}.csv", [row(layer) for layer in LAYERS])
    return tmp_path


def write(path, rows, columns=COLUMNS):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join((columns, *rows)) + "\n")


def tables(**changed):
    fields = {
        "label": "mine",
        "folder": "mine",
        "arms": (
            TableArm(BASELINE, "bs.csv", "ft_bs.csv"),
            TableArm(DROPPED, "dp.csv", "ft_dp.csv"),
        ),
        "classifier": "head",
        "encoder": ("encoder.*",),
        **changed,
    }
    return TableSet(**fields)


def layers(one=None, treatment=DROPPED):
    one = one or tables()
    return arm_layers(one, one.arm(treatment))


def test_matrices_of_the_classifier_and_the_encoder_are_read():
    found = layers()
    assert [(m["name"], m["view"], m["kind"]) for m in found.matrices] == [
        ("encoder.conv", "encoder", "conv-pooled"),
        ("encoder.fc", "encoder", "linear"),
        ("head", "classifier", "linear"),
    ]
    assert found.columns["norm"].tolist() == [[8.0] * 3] * 2


def test_a_table_without_the_columns(root):
    write(root / "mine" / "ft_dp.csv", ["head,1"], columns="longname,norm")
    with pytest.raises(BadData, match=r"ft_dp\.csv is no table .* no column N, M, num_evals; save"):
        layers()
    (root / "mine" / "ft_dp.csv").write_bytes(b"\xff\xfe\0")
    with pytest.raises(BadData, match=r"ft_dp\.csv is no CSV file"):
        layers()
    (root / "mine" / "ft_dp.csv").write_text("")
    with pytest.raises(BadData, match="no column longname"):
        layers()


def test_arms_without_a_before():
    with pytest.raises(ValueError, match=r"the arm dropout 0\.5 has no table before training"):
        TableArm(DROPPED, "", "ft_dp.csv")
    with pytest.raises(ValueError, match="no arm is the baseline"):
        tables(arms=(TableArm(DROPPED, "dp.csv", "ft_dp.csv"),))
    arm = TableArm(DROPPED, "dp.csv", "ft_dp.csv")
    with pytest.raises(ValueError, match=r"two arms are dropout 0\.5"):
        tables(arms=(TableArm(BASELINE, "bs.csv", "ft_bs.csv"), arm, arm))


@pytest.mark.parametrize("changed, said", [("ft_dp", "ft_dp.csv"), ("dp", "ft_dp.csv")])
def test_layers_that_differ_between_tables(root, changed, said):
    write(root / "mine" / f"{changed}.csv", [row(layer) for layer in LAYERS[:-1]])
    with pytest.raises(BadData, match=r"different layers \(head is in one of them only\)"):
        layers()


def test_layers_that_differ_between_arms(root):
    for name in ("dp", "ft_dp"):
        write(root / "mine" / f"{name}.csv", [row(layer) for layer in (*LAYERS, "extra")])
    with pytest.raises(BadData, match=r"dp\.csv and bs\.csv of mine .*extra is in one of them"):
        layers()
    for name in ("dp", "ft_dp"):
        write(root / "mine" / f"{name}.csv", [row(layer) for layer in LAYERS[::-1]])
    with pytest.raises(BadData, match="in another order"):
        layers()


@pytest.mark.parametrize("alpha", ["nan", "", "inf", "none"])
def test_alphas_that_are_no_numbers(root, alpha):
    rows = [row(layer, alpha=alpha if layer == "encoder.fc" else "3") for layer in LAYERS]
    write(root / "mine" / "ft_dp.csv", rows)
    with pytest.raises(BadData, match=r"alpha of the layer encoder\.fc is .*leave that layer out"):
        layers()
    assert len(layers(tables(without=("encoder.fc",))).matrices) == 2
    # Of a layer that is not asked about nothing is refused.
    rows = [row(layer, alpha=alpha if layer == "frozen.0" else "3") for layer in LAYERS]
    write(root / "mine" / "ft_dp.csv", rows)
    assert len(layers().matrices) == 3


def test_a_layer_that_no_pattern_names():
    with pytest.raises(BadData, match="no layer of mine is in the classifier"):
        layers(tables(classifier="fc9"))
    with pytest.raises(BadData, match="no layer of mine is in the encoder"):
        layers(tables(encoder=("vision.*",)))


def test_a_folder_of_another_shape(root):
    assert absent_tables(Tables((tables(),))) is None
    (root / "mine" / "ft_dp.csv").unlink()
    told = absent_tables(Tables((tables(),), "ask Ann"))
    assert "no ft_dp.csv (1 of 4 files are missing)" in told and told.endswith(": ask Ann")
    with pytest.raises(BadData, match=r"ft_dp\.csv"):
        layers()
    told = absent_tables(tables(folder="elsewhere"))
    assert "there is no folder" in told and "--data-root" in told and "\n" not in told
    for folder in ("/etc", "../up", "a//b", "~"):
        with pytest.raises(ValueError, match="named from the data root"):
            tables(folder=folder)


def test_tables_are_named_by_their_contents(root):
    first = pinned(Tables((tables(),)))
    (one,) = first.sets
    assert len(one.digest) == 64 and pinned(first) == first
    write(root / "mine" / "ft_dp.csv", [row(layer, norm="7.5") for layer in LAYERS])
    (other,) = pinned(Tables((tables(),))).sets
    assert other.digest != one.digest
    with pytest.raises(BadData, match="have changed since this run began"):
        layers(one)


def test_a_study_reads_its_doses_off_the_arms():
    study = study_of_tables("mine", "Mine", tables())
    assert study.dropout_rates == (0.5,) and study.decays == () and study.fixed_sample
    assert study.data_of(0).label == "mine" and study.view_size == 0 and study.controls == ()
    assert "one published study, each of one run an arm" in study.finite_pool
    with pytest.raises(ValueError, match="share from 0 to 1"):
        TableArm(DROPPED, accuracy=75.0)


def test_further_columns_and_an_index_are_not_read(root):
    path = root / "mine" / "ft_dp.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    path.write_text("\n".join(",".join((str(i), *each, "x")) for i, each in enumerate(rows)))
    assert layers().columns["norm"][1].tolist() == [8.0] * 3
