"""Texts: study files, ledgers, a store's own JSON, a server's answers."""

from __future__ import annotations

import json
import random

from tests.fuzz import mutate
from tests.fuzz.inputs import Fifo, Files, Link

STUDY = b"""\
name = "birds"
title = "Birds"
domains = ["photo", "sketch"]
dropout_rates = [0.1, 0.3]
decays = [1e-4, 1e-3]
augmentations = ["auto", "noise30"]
view_size = 40
class_counts = [1, 2]
batches = [8, 32]
combinations = [[0.1, 1e-3]]
very_large_dropout = 0.9
data = {type = "images", folder = "birds", side = 8, per_class = 3, domains = ["photo", "sketch"]}
backbone = {type = "resnet18", width = 4}
recipe = {epochs = 2, batch = 32, lr = 1e-3, checkpoints = [0, 0.5, 1]}
embedders = [{type = "lsa", size = 4}]
generator = {type = "flow", side = 8, width = 16, steps = 5}
settings = [{name = "good", guidance = 1.5}]
shares = [[0.15, 0.25, 0.35]]
"""
LEDGER = b"""\
[[entry]]
profile = "embedded"
claim = "drop-alpha"
study = "clip-world"
variant = "classifier"
verdict = "contradicted"
since = 2026-01-02
reason = "A reason."

[[entry]]
profile = "embedded"
claim = "wd-alpha"
study = "clip-world"
verdict = "inconclusive"
since = 2026-01-03
reason = "Another."
"""


def study(rng: random.Random) -> Files:
    """A TOML study file, of one study or of several."""
    text = STUDY
    if rng.random() < 0.2:
        text = (
            b"[[studies]]\n" + text + b"[[studies]]\n" + text.replace(b'"birds"\nt', b'"other"\nt')
        )
    return {"study.toml": mutate.toml(rng, text)}


def ledger(rng: random.Random) -> Files:
    """A ledger."""
    if rng.random() < 0.02:
        return {"ledger.toml": rng.choice((Fifo(), Link("ledger.toml"), Link(".")))}
    return {"ledger.toml": mutate.toml(rng, LEDGER)}


COMPLETION = {
    "id": "x", "object": "chat.completion", "created": 0, "model": "m",
    "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": {
        "role": "assistant", "refusal": None,
        "content": json.dumps({"texts": [{"text": "a new text", "category": "loans"}]})}}],
}  # fmt: skip


def completion(rng: random.Random) -> bytes:
    """A server's answer."""
    value = json.loads(json.dumps(COMPLETION))
    if rng.random() < 0.4:
        message = value["choices"][0]["message"]
        message["content"] = mutate.jsons(rng, message["content"].encode()).decode(
            "utf-8", "replace"
        )
    if rng.random() < 0.2:
        value = {
            "error": {
                "message": "no",
                "type": "x",
                "code": rng.choice(("content_filter", "invalid_prompt", None, 3)),
            }
        }
    text = json.dumps(value).encode()
    return text if rng.random() < 0.2 else mutate.jsons(rng, text)


def answer(rng: random.Random) -> Files:
    """An answer as it lies in the cache, and one as it came."""
    kept = {"request": {"model": "m"}, "answer": completion(rng).decode("utf-8", "replace")}
    text = json.dumps(kept).encode()
    if rng.random() < 0.03:
        return {"kept.json": rng.choice((Link("kept.json"), Link("."))), "answer": b"x"}
    return {
        "kept.json": text if rng.random() < 0.5 else mutate.jsons(rng, text),
        "answer": completion(rng),
    }


def http(rng: random.Random) -> Files:
    """All that a server sends: its first line, headers, body."""
    body = completion(rng)
    status = rng.choice((200,) * 6 + (204, 301, 400, 400, 401, 404, 500, 999, 0))
    headers = [
        f"Content-Length: {rng.choice((len(body),) * 5 + (0, len(body) + 9, -1, 'x', 10**12))}",
        "Content-Type: application/json",
    ]
    if rng.random() < 0.4:
        headers.append(
            rng.choice(
                (
                    "Transfer-Encoding: chunked",
                    "Content-Encoding: gzip",
                    "Content-Encoding: br",
                    "Location: //[",
                    "Retry-After: x",
                    "Retry-After: -1",
                    "X: \xff\x00",
                    "Content-Type: text/html; charset=zz",
                    "x-should-retry: false",
                    "retry-after-ms: nan",
                )
            )
        )
    text = f"HTTP/1.1 {status} OK\r\n" + "\r\n".join(headers) + "\r\nConnection: close\r\n\r\n"
    made = text.encode("latin-1") + body
    return {"http": made if rng.random() < 0.7 else mutate.octets(rng, made)}


def stored(rng: random.Random, whole: Files, names: tuple[str, ...]) -> Files:
    """A store of which one file (whose name holds one of `names`) is changed."""
    files = dict(whole)
    chosen = rng.choice([name for name in sorted(files) if any(part in name for part in names)])
    text = files[chosen]
    assert isinstance(text, bytes)
    if rng.random() < 0.05:
        files[chosen] = rng.choice((Link("nothing"), Link("."), b""))
    elif chosen.endswith(".jsonl"):
        lines = text.split(b"\n")
        place = rng.randrange(len(lines))
        lines[place] = mutate.jsons(rng, lines[place])
        files[chosen] = b"\n".join(lines)
    elif chosen.endswith(".json") or "done" in chosen or "wanted" in chosen:
        files[chosen] = mutate.jsons(rng, text)
    else:
        files[chosen] = mutate.octets(rng, text)
    return files
