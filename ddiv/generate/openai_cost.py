"""What answers of OpenAI's models cost: an estimate beforehand, and the sum afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

# US dollars for a million tokens of prompt and of answer, standard tier, from
# platform.openai.com/docs/pricing.
PRICES_OF = "2026-11-22"

PRICES = {
    "gpt-4o": (2.50, 10.00),
    "gpt-4o-2024-08-06": (2.50, 10.00),
    "gpt-4o-2024-11-20": (2.50, 10.00),
    "gpt-4o-mini": (0.15, 0.60),
    "gpt-4o-mini-2024-07-18": (0.15, 0.60),
    "gpt-4.1": (2.00, 8.00),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-6-luna": (0.10, 0.50),
}

CHARACTERS_PER_TOKEN = 4  # of English; OpenAI's own rule of thumb, no tokeniser needed


class Cost(msgspec.Struct, frozen=True):
    """Requests, their tokens, and US dollars at the prices of PRICES_OF.

    `dollars` is None for a model without a price.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    dollars: float | None

    @classmethod
    def of(cls, model: str, requests: int, prompt_tokens: int, completion_tokens: int) -> Cost:
        """The cost of these tokens of a model, in dollars where `PRICES` has the model."""
        if model not in PRICES:
            return cls(requests, prompt_tokens, completion_tokens, None)
        prompt, completion = PRICES[model]
        dollars = (prompt_tokens * prompt + completion_tokens * completion) / 1e6
        return cls(requests, prompt_tokens, completion_tokens, round(dollars, 4))

    @property
    def label(self) -> str:
        price = "no price is known"
        if self.dollars is not None:
            price = f"${self.dollars:.2f} at the prices of {PRICES_OF}"
        return (
            f"{self.requests:,} requests, {self.prompt_tokens:,} tokens of prompts and "
            f"{self.completion_tokens:,} of answers ({price})"
        )


def expected(
    model: str,
    bodies: Sequence[dict[str, Any]],
    counts: Sequence[int],
    text_characters: float,
    item_tokens: int,
) -> Cost:
    """The estimated cost of requests, each for one of `counts` texts.

    Texts have `text_characters` characters on average. `item_tokens` is the number of tokens beside
    each text in an answer. Retries and answers that must be asked for again are not counted.
    """
    characters = sum(
        len(msgspec.json.encode([body["messages"], body["response_format"]])) for body in bodies
    )
    tokens_of_a_text = text_characters / CHARACTERS_PER_TOKEN + item_tokens
    prompt, answers = characters / CHARACTERS_PER_TOKEN, sum(counts) * tokens_of_a_text
    return Cost.of(model, len(bodies), round(prompt), round(answers))
