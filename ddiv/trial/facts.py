"""Names of the facts that a record holds, shared by those who write and those who read them."""

from __future__ import annotations

from typing import Literal, get_args

from ddiv.common.texts import unpack
from ddiv.data.dataset import Shown
from ddiv.study import Space
from ddiv.trial.store import Record

# The shares of the fitting half's energy that the span holds; the first is the definition that a
# verdict rests on.
HELD = (0.95, 0.9, 0.99)

# Which nearest neighbour's distance is the reach of a held-out example (`ddiv.diversity.weighted`);
# Naeem et al. (2020) take the first.
NEIGHBOURS = (5, 3, 1)

# The orders of the Vendi Score that a view holds; the paper's comes first.
VENDI_ORDERS = (1.0, 0.5, 2.0)


# How the rows of a set are put beside those of the real data where rho goes by rows ("paired" of
# `ddiv.diversity.weighted`): as the published code of v2 leaves them, shuffled, each beside the
# real example at whose place it stands.
RowOrder = Literal["paired", "paired-shuffled", "paired-matched"]

ROW_ORDERS: tuple[RowOrder, ...] = get_args(RowOrder)


def vendi_key(space: Space, order: float) -> str:
    """What a view's record calls a Vendi Score."""
    return space if order == 1 else f"{space}, q = {order:g}"


def outside_key(space: Space, held: float) -> str:
    """What a view's record calls the share of energy outside the span of the real data."""
    return f"outside {held:g}, {space}"


def coverage_key(space: Space, neighbours: int) -> str:
    """What a view's record calls the share of held-out real data that it covers."""
    return f"{space}, k = {neighbours}"


def samples_of(record: Record) -> Shown:
    """The examples that a generator drew, from the record that holds them."""
    arrays = record.arrays
    return Shown(arrays["images"] if "images" in arrays else unpack(arrays), arrays["labels"])
