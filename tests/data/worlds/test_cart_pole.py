"""The cart and its pole: repeatable, balanced, held upright; what is read tells the force."""

import numpy as np
import pytest

from ddiv.data.load import load
from ddiv.data.worlds.cart_pole import DOMAINS, ERROR, GAINS, LEVELS, RANGES, load_cart_pole
from ddiv.study import CartPole, Study
from ddiv.study.replicates import drawn_data

SPEC = CartPole(train_per_class=3, test_per_class=2, version=1)


def test_a_replicate_is_the_same_each_time_and_no_other_one():
    one, again = load_cart_pole(SPEC), load_cart_pole(SPEC)
    assert one.inputs.tobytes() == again.inputs.tobytes()
    other = load(drawn_data(SPEC, "mine", 1))
    assert not np.array_equal(one.inputs, other.inputs)
    assert not np.array_equal(one.inputs[:128], one.tests["as designed"][0])


def test_levels_are_equally_often_in_every_domain():
    data = load_cart_pole(SPEC)
    assert tuple(data.tests) == tuple(DOMAINS) == SPEC.test_domains
    assert data.inputs.shape == (3 * LEVELS, 3, 16, 4) and data.inputs.dtype == np.uint8
    assert np.array_equal(np.bincount(data.labels), [3] * LEVELS)
    for inputs, labels in data.tests.values():
        assert len(inputs) == 2 * LEVELS and np.array_equal(np.bincount(labels), [2] * LEVELS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_level_is_that_of_the_force_on_the_state_that_is_read_last(domain):
    """Up to the sensors' errors; and no reading is stuck at an end of its range."""
    inputs, labels = load_cart_pole(SPEC).tests[domain]
    shares = inputs[:, 0].astype(float) / 255
    assert ((shares == 0) | (shares == 1)).mean() < 0.02
    state = (2 * shares[:, -1] - 1) * RANGES
    force = -state @ np.array(GAINS)
    assert np.corrcoef(force.argsort().argsort(), labels)[0, 1] > 0.9
    error = np.sqrt(((2 * ERROR * np.array(GAINS) * RANGES) ** 2).sum())
    assert force.std() > 2 * error


def test_other_carts_show_other_states():
    tests = load_cart_pole(CartPole(12, 12, 1)).tests
    spread = {
        name: inputs[:, 0].astype(float).std(axis=(0, 1)) for name, (inputs, _) in tests.items()
    }
    for name, other in spread.items():
        if name != "as designed":
            assert np.abs(other / spread["as designed"] - 1).max() > 0.05, name


def test_another_version_is_refused():
    with pytest.raises(ValueError, match="asks for 2"):
        load_cart_pole(CartPole(1, 1, 2))
    assert Study("s", "s", SPEC, experiments=("x",)).finite_pool == ""
