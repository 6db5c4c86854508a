"""Values that several parts of the page use."""

from __future__ import annotations

# A name and its value, as a line of a card shows them.
Fact = tuple[str, str | float | None]

# A class and a text of it.
Quote = tuple[str, str]

# Table of a metric: a row an arm, in it one value a seed; None where there is none.
Rows = tuple[tuple[float | None, ...], ...]
