"""Texts from OpenAI's chat models (v2: GPT-4o), or from any server that speaks their protocol.

Few-shot prompts show real training texts of a class (`openai_prompts`); answers are structured, are
checked against the classes, and lose what repeats a real text or another new one. Every answer,
usable or not, is kept on disk by the hash of its request (`openai_cache`), so a run that was
interrupted, or is run again, pays only for what is missing.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np

from ddiv.generate.check import BadSamples
from ddiv.generate.openai_cache import AnswerCache, default_folder
from ddiv.generate.openai_client import Client
from ddiv.generate.openai_cost import PRICES_OF, Cost, expected
from ddiv.generate.openai_prompts import ITEM_TOKENS, Reading, Request, read, request
from ddiv.source import OpenAI, Setting

# Of a class, after so many requests in a row without a new text: were every fifth answer unusable
# by chance, eight in a row would happen once in 400,000 requests.
GIVE_UP = 8
# of answers, then of texts
FAULTS = ("refused", "truncated", "malformed", "misclassed", "repeated", "copied", "empty")

Examples = tuple[np.ndarray, np.ndarray]

log = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """Texts (n,) of dtype object, and what is to be recorded of their making."""

    texts: np.ndarray
    facts: dict


def sample(
    spec: OpenAI,
    setting: Setting,
    classes: Sequence[str],
    labels: np.ndarray,
    examples: Examples,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
    *,
    client: Client | None = None,
    cache: AnswerCache | None = None,
    known: Sequence[str] = (),
) -> Drawn:
    """One new text for each of `labels` (n,), numbers into `classes`; `examples` are real training
    texts and their labels.

    No text repeats another one, one of `examples` or one of `known` (say the test set: a model may
    know public texts by heart), whatever its case, punctuation and spacing. Equal arguments give
    equal requests, so that the cache answers them all the second time, without key or server. The
    estimated cost is logged before anything is asked.

    Facts: `requests` that have been answered for these texts, now or earlier, and their `tokens`
    and `dollars` (None for a model without a price); of them `asked` in this run, with `retried`
    attempts that brought no answer; how many answers were `refused`, `truncated`, `malformed` or
    told no tokens (`untold`); how many texts were `misclassed`, `repeated`, `copied` from a real
    one or `empty`; the `estimate` of this run; which models answered, and where.

    Raises NoAccess (`openai_client`), BadSamples where a class has no example or GIVE_UP requests
    in a row brought nothing new, ValueError on a temperature above 2 (the protocol's limit).
    """
    if setting.temperature > 2:
        raise ValueError(f"chat models take temperatures of 0 to 2, got {setting.temperature:g}")
    desk = _Desk(
        spec,
        setting,
        classes,
        examples,
        seed,
        client or Client(),
        cache or AnswerCache(default_folder()),
    )
    wanted = Counter(map(int, labels))
    found = _Found(
        {label: [] for label in wanted},
        {_normal(text) for text in (*examples[0], *known)},
        set(),
        Counter(),
    )
    drawn, barren, readings, asked, retried = Counter(), Counter(), [], 0, 0
    wave = desk.requests(wanted, drawn)
    before = desk.estimate(wave)
    if before.requests:
        log.info("%s at %s: about %s", spec.model, desk.client.base_url, before.label)
    while wave:
        answers, sent, failed = desk.answers(
            wave, partial(_tell, progress, found.count, len(labels))
        )
        asked, retried = asked + sent, retried + failed
        # Answers are taken in the order of their requests, so that it doesn't matter which of two
        # equal texts came first.
        for one, answer in zip(wave, answers):
            readings.append(reading := read(answer, one, classes))
            drawn[one.label] += 1
            barren[one.label] = 0 if found.add(one.label, reading) else barren[one.label] + 1
            if barren[one.label] >= GIVE_UP:
                raise BadSamples(_why(spec, classes[one.label], found.tally))
        wave = desk.requests(
            {label: count - len(found.texts[label]) for label, count in wanted.items()}, drawn
        )
    queues = {label: iter(texts) for label, texts in found.texts.items()}
    texts = np.array([next(queues[int(label)]) for label in labels], dtype=object)
    told = [reading.tokens for reading in readings if reading.tokens]
    spent = Cost.of(
        spec.model,
        len(readings),
        sum(prompt for prompt, _ in told),
        sum(answer for _, answer in told),
    )
    log.info(
        "%s: %d requests answered now; all that these texts took: %s",
        spec.model,
        asked,
        spent.label,
    )
    facts = {
        "model": spec.model,
        "answered_by": sorted({reading.model for reading in readings} - {""}),
        "base_url": desk.client.base_url,
        "requests": spent.requests,
        "asked": asked,
        "retried": retried,
        "tokens": {"prompt": spent.prompt_tokens, "completion": spent.completion_tokens},
        "dollars": spent.dollars,
        "prices_of": PRICES_OF,
        "estimate": msgspec.to_builtins(before),
        "untold": len(readings) - len(told),
        **{fault: found.tally[fault] for fault in FAULTS},
    }
    return Drawn(texts, facts)


def estimate(
    spec: OpenAI,
    setting: Setting,
    classes: Sequence[str],
    labels: np.ndarray,
    examples: Examples,
    seed: int,
    *,
    client: Client | None = None,
    cache: AnswerCache | None = None,
) -> Cost:
    """What `sample` with these arguments will about cost: its requests that the cache has no answer
    to; asks nothing.
    """
    desk = _Desk(
        spec,
        setting,
        classes,
        examples,
        seed,
        client or Client(),
        cache or AnswerCache(default_folder()),
    )
    return desk.estimate(desk.requests(Counter(map(int, labels)), Counter()))


@dataclass(frozen=True)
class _Desk:
    """All that requests are made from and answered by."""

    spec: OpenAI
    setting: Setting
    classes: Sequence[str]
    examples: Examples
    seed: int
    client: Client
    cache: AnswerCache

    def requests(self, missing: dict[int, int], drawn: Counter) -> list[Request]:
        """Requests for so many texts of each class, numbered from those `drawn` before.

        Raises BadSamples: no example.
        """
        made = []
        for label, short in sorted(missing.items()):
            if short <= 0:
                continue
            own = self._own(label)
            if not own:
                raise BadSamples(
                    f"the class {self.classes[label]!r} has no real training text to show as an example: give "
                    "it at least one, or leave it out of the study"
                )
            for place, start in enumerate(range(0, short, self.spec.per_request)):
                made.append(
                    request(
                        self.spec,
                        self.setting,
                        self.classes,
                        label,
                        own,
                        drawn[label] + place,
                        min(self.spec.per_request, short - start),
                        self.seed,
                    )
                )
        return made

    def estimate(self, requests: Sequence[Request]) -> Cost:
        missing = [one for one in requests if self.cache.get(self._path(one)) is None]
        lengths = [min(len(text), self.spec.max_tokens * 4) for text in self.examples[0]]
        return expected(
            self.spec.model,
            [one.body for one in missing],
            [one.count for one in missing],
            float(np.mean(lengths)) if lengths else 0.0,
            ITEM_TOKENS,
        )

    def answers(
        self, requests: Sequence[Request], progress: Callable[[int], None]
    ) -> tuple[list[str], int, int]:
        """The answer to each request, from the cache or the server; how many the server was sent,
        how many attempts failed.

        `progress` is told for how many texts the answers are there.
        """
        answers = [self.cache.get(self._path(one)) for one in requests]
        missing = [place for place, answer in enumerate(answers) if answer is None]
        there = sum(one.count for one, answer in zip(requests, answers) if answer is not None)
        if missing:
            self.cache.check_writable()

        def keep(number: int, answer: str) -> None:
            one = requests[missing[number]]
            self.cache.put(self._path(one), one.body, answer)
            answers[missing[number]] = answer

        def arrived(number: int) -> None:
            nonlocal there
            there += requests[missing[number]].count
            progress(there)

        progress(there)
        failed = self.client.ask([requests[place].body for place in missing], keep, arrived)
        return answers, len(missing), failed

    def _path(self, one: Request):
        return self.cache.path(self.client.base_url, one.body)

    def _own(self, label: int) -> list[str]:
        texts, labels = self.examples
        return [str(text) for text in texts[np.asarray(labels) == label]]


class _Found(NamedTuple):
    """The new texts of each class, the normal forms of the real and of the new ones, and how often
    each fault was met.
    """

    texts: dict[int, list[str]]
    real: set[str]
    new: set[str]
    tally: Counter

    @property
    def count(self) -> int:
        return sum(map(len, self.texts.values()))

    def add(self, label: int, reading: Reading) -> int:
        """Take what is new of an answer's texts, tally its faults, and say how many texts were
        taken.
        """
        self.tally.update({reading.kind: 1, "misclassed": reading.misclassed})
        before = len(self.new)
        for text in reading.texts:
            normal = _normal(text)
            if not normal or "\0" in text:
                self.tally["empty"] += 1
            elif normal in self.real:
                self.tally["copied"] += 1
            elif normal in self.new:
                self.tally["repeated"] += 1
            else:
                self.new.add(normal)
                self.texts[label].append(text)
        return len(self.new) - before


def _tell(progress: Callable[[float], None], done: int, wanted: int, answered: int) -> None:
    # Of the texts that were answered for some may turn out unusable, so this may go back a little
    # from wave to wave.
    progress((done + answered) / wanted)


def _normal(text: str) -> str:
    """The words of a text, whatever case, punctuation, spacing and Unicode form they are written
    in.
    """
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _why(spec: OpenAI, name: str, tally: Counter) -> str:
    met = (
        ", ".join(f"{tally[fault]} {fault}" for fault in FAULTS if tally[fault]) or "empty answers"
    )
    return (
        f"{spec.model} gave no new text of the class {name!r} in {GIVE_UP} requests in a row (met so far: {met}): if "
        "truncated, raise max_tokens or lower per_request; if refused, leave the class out; if repeated or copied, "
        "raise the temperature or the number of examples; if misclassed or malformed, take another model"
    )
