"""Texts from OpenAI's chat models (v2: GPT-4o), or from any server that speaks their protocol.

Few-shot prompts show real training texts of a class (`openai_prompts`). Answers are structured and
are checked against the classes; texts that repeat a real text or another new one are dropped. Every
answer that was paid for, usable or not, is kept on disk by the hash of its request
(`openai_cache`), so a run that was interrupted, or is repeated, pays only for the answers that are
missing. A prompt that the server refuses is noted there, too, and the next one is asked.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ddiv.generate.check import BadSamples
from ddiv.generate.openai_answers import refusal
from ddiv.generate.openai_cache import AnswerCache, default_folder
from ddiv.generate.openai_client import Client
from ddiv.generate.openai_cost import PRICES_OF, Cost, expected
from ddiv.generate.openai_prompts import ITEM_TOKENS, Reading, Request, read, request
from ddiv.treatment import OpenAI, Setting

# A class is given up after this many requests in a row without a new text. If every fifth answer
# were unusable by chance, eight in a row would happen once in 400,000 requests.
GIVE_UP = 8

# Faults of answers, then of texts.
FAULTS = ("refused", "truncated", "malformed", "misclassed", "repeated", "copied", "empty")

Examples = tuple[np.ndarray, np.ndarray]

log = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """Texts (n,) of dtype object, and the facts of their making for the record."""

    texts: np.ndarray
    facts: dict[str, Any]


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
    """One new text for each of `labels` (n,), which are numbers into `classes`.

    `examples` are real training texts and their labels. No text repeats another one, one of
    `examples` or one of `known`, whatever its case, punctuation and spacing. `known` may be the
    test set, since a model may know public texts by heart. Equal arguments give equal requests, so
    the second time the cache answers them all, without key or server. The estimated cost is logged
    before anything is asked.

    Facts:

    - `requests` that were answered for these texts, now or earlier, with their `tokens` and
      `dollars` (None for a model without a price);
    - how many of them were `asked` in this run, and how many attempts were `retried`, since they
      brought no answer;
    - how many answers were `refused`, `truncated`, `malformed`, or did not tell their tokens
      (`untold`);
    - how many texts were `misclassed`, `repeated`, `copied` from a real one or `empty`;
    - the `estimate` of this run's cost; which models answered, and at which address.

    Raises NoAccess (`openai_client`), BadSamples where a class has no example or GIVE_UP requests
    in a row brought nothing new, ValueError on a temperature above 2 (the protocol's limit).
    """
    if setting.temperature > 2:
        raise ValueError(f"chat models take temperatures of 0 to 2, got {setting.temperature:g}")
    desk = _desk(spec, setting, classes, examples, seed, client, cache)
    wanted = Counter(map(int, labels))
    harvest = _Harvest(
        {label: [] for label in wanted}, {_normal(text) for text in (*examples[0], *known)}
    )
    before = desk.estimate(desk.requests(wanted, Counter()))
    if before.requests:
        log.info("%s at %s: about %s", spec.model, desk.client.base_url, before.label)
    asked = retried = 0
    refused: defaultdict[int, list[tuple[Request, str]]] = defaultdict(list)
    for wave in _waves(desk, wanted, harvest):
        answers, sent, failed = desk.answers(
            wave, partial(_tell, progress, harvest.size, len(labels))
        )
        asked, retried = asked + sent, retried + failed
        # Answers are taken in the order of their requests, so that it doesn't matter which of two
        # equal texts came first.
        for query, answer in zip(wave, answers):
            harvest.take(query.label, read(answer, query, classes))
            if why := refusal(answer):
                refused[query.label].append((query, why))
            if harvest.barren[query.label] >= GIVE_UP:
                # A server that is set up anew may take these prompts, so the next run asks again.
                desk.forget(query for query, _ in refused[query.label])
                said = "".join(why for _, why in refused[query.label][-1:])
                raise BadSamples(_why(spec, classes[query.label], harvest.tally, said))
    queues = {label: iter(texts) for label, texts in harvest.texts.items()}
    texts = np.array([next(queues[int(label)]) for label in labels], dtype=object)
    facts = _facts(desk, harvest, before, asked, retried)
    return Drawn(texts, facts)


def _waves(desk: _Desk, wanted: Mapping[int, int], harvest: _Harvest) -> Iterator[list[Request]]:
    """Requests for the texts that are missing, until each class has as many as `wanted`."""
    while True:
        missing = {label: count - len(harvest.texts[label]) for label, count in wanted.items()}
        wave = desk.requests(missing, harvest.drawn)
        if not wave:
            return
        yield wave


def _tell(progress: Callable[[float], None], done: int, wanted: int, answered: int) -> None:
    # Some of the texts in the answers may turn out unusable, so from wave to wave the share may go
    # back a little.
    progress((done + answered) / wanted)


def _facts(
    desk: _Desk, harvest: _Harvest, before: Cost, asked: int, retried: int
) -> dict[str, Any]:
    """The facts of `sample`; logs what the texts have cost."""
    model, readings = desk.spec.model, harvest.readings
    tokens = [reading.tokens for reading in readings if reading.tokens]
    spent = Cost.of(
        model,
        len(readings),
        sum(prompt for prompt, _ in tokens),
        sum(answer for _, answer in tokens),
    )
    log.info(
        "%s: %d requests answered now; all that these texts took: %s", model, asked, spent.label
    )
    return {
        "model": model,
        "answered_by": sorted({reading.model for reading in readings} - {""}),
        "base_url": desk.client.base_url,
        "requests": spent.requests,
        "asked": asked,
        "retried": retried,
        "tokens": {"prompt": spent.prompt_tokens, "completion": spent.completion_tokens},
        "dollars": spent.dollars,
        "prices_of": PRICES_OF,
        "estimate": msgspec.to_builtins(before),
        "untold": len(readings) - len(tokens),
        **{fault: harvest.tally[fault] for fault in FAULTS},
    }


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
    """The estimated cost of `sample` with these arguments. Nothing is asked.

    Requests are counted whose answers are not in the cache.
    """
    desk = _desk(spec, setting, classes, examples, seed, client, cache)
    return desk.estimate(desk.requests(Counter(map(int, labels)), Counter()))


@dataclass(frozen=True)
class _Desk:
    """The values that requests are made from, and the server and cache that answer them."""

    spec: OpenAI
    setting: Setting
    classes: Sequence[str]
    examples: Examples
    seed: int
    client: Client
    cache: AnswerCache

    def requests(self, missing: Mapping[int, int], drawn: Counter[int]) -> list[Request]:
        """Requests for the `missing` number of texts of each class.

        They are numbered on from the `drawn` earlier requests of the class. Raises BadSamples where
        a class has no example.
        """
        made = []
        for label, short in sorted(missing.items()):
            if short <= 0:
                continue
            own = self._own(label)
            if not own:
                raise BadSamples(
                    f"the class {self.classes[label]!r} has no real training text to show as an "
                    "example: give it at least one, or leave it out of the study"
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
        """The estimated cost of the requests that the cache has no answer to."""
        missing = [query for query in requests if self._kept(query) is None]
        lengths = [min(len(text), self.spec.max_tokens * 4) for text in self.examples[0]]
        return expected(
            self.spec.model,
            [query.body for query in missing],
            [query.count for query in missing],
            float(np.mean(lengths)) if lengths else 0.0,
            ITEM_TOKENS,
        )

    def answers(
        self, requests: Sequence[Request], progress: Callable[[int], None]
    ) -> tuple[list[str], int, int]:
        """The answer to each request, how many requests were sent, and how many attempts failed.

        Answers are from the cache or from the server. `progress` is called with the number of texts
        whose answers are there.
        """
        answers = {
            place: answer
            for place, query in enumerate(requests)
            if (answer := self._kept(query)) is not None
        }
        missing = [place for place in range(len(requests)) if place not in answers]
        there = sum(requests[place].count for place in answers)
        if missing:
            self.cache.check_writable()

        def keep(number: int, answer: str) -> None:
            query = requests[missing[number]]
            self.cache.put(self._path(query), query.body, answer)
            answers[missing[number]] = answer

        def arrived(number: int) -> None:
            nonlocal there
            there += requests[missing[number]].count
            progress(there)

        progress(there)
        failed = self.client.ask([requests[place].body for place in missing], keep, arrived)
        return [answers[place] for place in range(len(requests))], len(missing), failed

    def forget(self, requests: Iterable[Request]) -> None:
        """Delete what the cache has to these requests."""
        for query in requests:
            self.cache.forget(self._path(query))

    def _kept(self, query: Request) -> str | None:
        return self.cache.get(self._path(query), query.body)

    def _path(self, query: Request) -> Path:
        return self.cache.path(self.client.base_url, query.body)

    def _own(self, label: int) -> list[str]:
        """The real training texts of a class."""
        texts, labels = self.examples
        return [str(text) for text in texts[np.asarray(labels) == label]]


def _desk(
    spec: OpenAI,
    setting: Setting,
    classes: Sequence[str],
    examples: Examples,
    seed: int,
    client: Client | None,
    cache: AnswerCache | None,
) -> _Desk:
    client, cache = client or Client(), cache or AnswerCache(default_folder())
    return _Desk(spec, setting, classes, examples, seed, client, cache)


@dataclass(frozen=True)
class _Harvest:
    """The new texts of each class, and what was met on the way to them.

    `real` and `new` are the normal forms of the real and of the new texts. `tally` counts faults,
    `drawn` the requests of each class, and `barren` its latest requests in a row without a new
    text.
    """

    texts: dict[int, list[str]]
    real: set[str]
    new: set[str] = field(default_factory=set)
    tally: Counter[str] = field(default_factory=Counter)
    drawn: Counter[int] = field(default_factory=Counter)
    barren: Counter[int] = field(default_factory=Counter)
    readings: list[Reading] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(map(len, self.texts.values()))

    def take(self, label: int, reading: Reading) -> None:
        """Take the new texts of an answer to a request for this class, and count its faults."""
        self.readings.append(reading)
        self.drawn[label] += 1
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
        self.barren[label] = 0 if len(self.new) > before else self.barren[label] + 1


def _normal(text: str) -> str:
    """The words of a text, without differences of case, punctuation, spacing and Unicode form."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _why(spec: OpenAI, name: str, tally: Counter[str], said: str) -> str:
    faults = ", ".join(f"{tally[fault]} {fault}" for fault in FAULTS if tally[fault])
    said = f"; the server says: {said}" if said else ""
    return (
        f"{spec.model} gave no new text of the class {name!r} in {GIVE_UP} requests in a row (met "
        f"so far: {faults or 'empty answers'}{said}): if truncated, raise max_tokens or lower "
        "per_request; if refused, leave the class out, or show fewer examples where they are too "
        "long; if repeated or copied, raise the temperature or the number of examples; if "
        "misclassed or malformed, take another model"
    )
