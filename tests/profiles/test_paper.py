"""The paper's own studies: doses as the paper has them, and what becomes of them on a machine that
has none of the data.
"""

import subprocess
import sys

import pytest

from ddiv.data.load import load
from ddiv.profiles.choose import profile
from ddiv.run.absent import samples
from ddiv.study import Complaints, Digits, DomainNet, Recipe, ResNet18, Tweets
from ddiv.treatment import NGram, OpenAI, Setting, StableDiffusion, Synthetic, Treatment
from ddiv.trial import Trial
from ddiv.trial.store import Store
from tests.support.claims_run import claims
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def studies():
    return {study.name: study for study in profile("paper").studies}


def test_clip_is_put_to_six_datasets_with_each_tower(studies):
    for tower in ("vit-b32", "rn50"):
        datasets = {
            name.removeprefix(f"clip-{tower}-")
            for name in studies
            if name.startswith(f"clip-{tower}-")
        }
        assert datasets - {"domainnet-synthetic"} == {
            "cifar10",
            "cifar100",
            "imagenette",
            "flowers102",
            "stanford-cars",
            "domainnet",
        }


def test_doses_are_the_papers(studies):
    study = studies["clip-vit-b32-domainnet"]
    assert (study.recipe.lr, study.recipe.epochs, study.recipe.batch) == (1e-5, 5, 32)
    assert study.dropout_rates == (0.1, 0.3, 0.5, 0.7) and study.decays == (
        1e-5,
        5e-5,
        1e-4,
        5e-4,
        1e-3,
        5e-3,
    )
    assert (study.data.train, study.data.classes) == (50_000, 142)
    assert study.domains == ("real", "clipart", "infograph", "painting", "sketch")
    assert studies["clip-rn50-domainnet"].data == DomainNet(train=5000, test_per_class=40)
    assert studies["clip-vit-b32-domainnet-synthetic"].shares == ((0.15, 0.25, 0.35),)


def test_without_data_all_is_skipped_in_one_line_each_that_says_how_to_get_it(tmp_path):
    done = claims(
        tmp_path,
        *("--profile", "paper", "--data-root", str(tmp_path), "-q", "-k", "drop-alpha"),
        HF_HOME=str(tmp_path / "hf"),
        HF_HUB_OFFLINE="1",
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    files = "complaints.csv", "complaint-tweets.csv"
    for said in ("ddiv fetch cifar10", "ddiv fetch domainnet", *files):
        assert said in done.stdout
    summary = subprocess.run(
        [sys.executable, "-m", "ddiv", "ledger", "--changes", "--store", tmp_path / "store"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert summary.returncode == 0 and "## ddiv: no claim could be asked" in summary.stdout, (
        summary.stderr
    )
    assert "--profile paper" in summary.stdout and "--plan</code>" in summary.stdout


def test_the_complaints_of_the_data_root_name_themselves(tmp_path, monkeypatch):
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    assert profile("paper").studies[-1].data.digest == ""
    (tmp_path / "complaints.csv").write_text("narrative,product,issue\n")
    data = profile("paper").studies[-1].data
    assert isinstance(data, Complaints) and len(data.digest) == 64


def test_the_published_texts_are_tweets_and_the_cfpbs_a_second_set(studies, tmp_path, monkeypatch):
    tweets = studies["bert-complaint-tweets"]
    assert type(tweets.data) is Tweets and type(studies["bert-complaints"].data) is Complaints
    assert tweets.coded_rates == tweets.dropout_rates == (0.1, 0.3, 0.5, 0.7)
    assert "synonym50-once50" in tweets.augmentations and tweets.shares[0][-1] == 1
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    rows = [f"a tweet of number {n},{n % 2}" for n in range(40)]
    (tmp_path / "complaint-tweets.csv").write_text("\n".join(["text,label", *rows]))
    found = {study.name: study.data for study in profile("paper").studies}
    assert found["bert-complaints"].digest == ""
    data = load(found["bert-complaint-tweets"])
    assert data.classes == ("0", "1") and len(data.inputs) == 32
    assert len(data.tests["complaints"][0]) == 8


def test_what_a_generator_lacks_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("DDIV_STABLE_DIFFUSION", raising=False)

    def lacking(generator) -> str | None:
        treatment = Treatment.of(Synthetic(0.5, generator, Setting("any")))
        return samples(
            [Trial(Digits(120), ResNet18(4), Recipe(1, 40, 1e-3), treatment, 0)], Store(tmp_path)
        )

    assert lacking(NGram()) is None
    assert "OPENAI_API_KEY is not set" in lacking(OpenAI())
    assert "DDIV_STABLE_DIFFUSION" in lacking(StableDiffusion("a" * 64))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("DDIV_STABLE_DIFFUSION", str(tmp_path))
    assert lacking(OpenAI()) is None and lacking(StableDiffusion("a" * 64)) is None
