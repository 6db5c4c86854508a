"""A loopback server that speaks OpenAI's chat completions and fails by a seeded plan, the same
however requests race.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

# No answer comes of the first; the second are answers that cost tokens and hold fewer texts than
# asked for.
UNANSWERED = ("429", "500", "503", "slow", "trickle", "reset", "cut", "page", "error")
UNUSABLE = (
    "refusal",
    "filtered",
    "truncated",
    "malformed",
    "other class",
    "unknown class",
    "duplicate",
    "copy",
)
# No completion comes with these either, and no other attempt at this prompt would help.
REFUSED = {
    "content_filter": {"code": "content_filter"},
    "invalid_prompt": {"code": "invalid_prompt", "type": "invalid_request_error"},
    "context_length_exceeded": {"code": "context_length_exceeded"},
    "azure": {"code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
    "vllm": {"code": 400, "message": "This model's maximum context length is 99 tokens."},
}

# Successes that are none; "empty" and "no choice" may be another thing for another prompt.
PAGES = {
    "page": b"<html>Proxy</html>",
    "error": b'{"error": {"message": "upstream is busy", "code": 502}}',
    "nothing": b"",
    "null": b"null",
    "escapes": b"\x1b[2J\x1b]0;mine\x07",
}

REPEATED = "The same complaint again, about"
PAUSE = "0.03"  # seconds, in Retry-After


class Arrival(NamedTuple):
    """One request as it came: the digest of its body, how often that body came before, and the
    fault it met ("": none).
    """

    digest: str
    attempt: int
    fault: str
    began: float


def seeded(seed: int, share: float, kinds=UNANSWERED + UNUSABLE) -> Callable[[str, int], str]:
    """A plan: of all requests this share meets a fault, whose kind is drawn from `kinds`; by body
    and attempt alone.
    """

    def plan(digest: str, attempt: int) -> str:
        rng = random.Random(f"{seed}/{digest}/{attempt}")
        return rng.choice(kinds) if rng.random() < share else ""

    return plan


class Server:
    """Use as a context manager.

    `arrivals` is what came, `paid` the digests of the requests that were answered.
    """

    def __init__(
        self,
        plan: Callable[[str, int], str] = lambda digest, attempt: "",
        pause: str = PAUSE,
        work: float = 0.0,
    ):
        self.plan, self.pause, self.work = plan, pause, work
        self.arrivals: list[Arrival] = []
        self.bodies: dict[str, dict] = {}
        self.paid: Counter = Counter()
        self.tokens = Counter()
        self.served: list[str] = []
        self.bomb, self.packed = b"", "gzip"
        self.busy = self.most_busy = 0
        self.closing, self.lock = threading.Event(), threading.Lock()

    def __enter__(self) -> Server:
        self.http = _Listener(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"server_state": self})
        )
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        return self

    def __exit__(self, *error) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def faults(self) -> Counter:
        """How often each kind of fault was met."""
        return Counter(arrival.fault for arrival in self.arrivals if arrival.fault)


class _Listener(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, request, client_address):
        """A client that has gone away is what half of the faults are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: Server

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        state = self.server_state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # Releases of the openai package order the fields of a body in their own ways.
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with state.lock:
            attempt = sum(arrival.digest == digest for arrival in state.arrivals)
            fault = state.plan(digest, attempt)
            state.arrivals.append(Arrival(digest, attempt, fault, time.monotonic()))
            state.bodies[digest] = body
            state.busy += 1
            state.most_busy = max(state.most_busy, state.busy)
        try:
            state.closing.wait(state.work)
            self.answer(body, digest, fault)
        finally:
            with state.lock:
                state.busy -= 1

    def answer(self, body: dict, digest: str, fault: str) -> None:
        state = self.server_state
        if fault in ("429", "500", "503", "400", "401", "404"):
            # Some gateways quote the key that they were sent.
            message = f"told to fail; {self.headers['Authorization']}"
            self.send(
                int(fault),
                json.dumps(
                    {"error": {"message": message, "type": "planned", "code": "planned"}}
                ).encode(),
                {"Retry-After": state.pause} if fault in ("429", "503") else {},
            )
        elif fault in REFUSED:
            error = {"message": "the prompt is refused", **REFUSED[fault]}
            self.send(400, json.dumps({"error": error}).encode(), {})
        elif fault in PAGES:
            self.send(200, PAGES[fault], {"Content-Type": "text/html; charset=latin-1"})
        elif fault == "redirect":
            self.send(302, b"", {"Location": "file:///etc/passwd"})
        elif fault == "endless":
            self.head(200, {"Content-Type": "application/json", "Connection": "close"})
            while not state.closing.is_set():
                self.wfile.write(b" " * (1 << 20))
        elif fault == "bomb":
            self.send(200, state.bomb, {"Content-Encoding": state.packed})
        elif fault == "slow":
            state.closing.wait(20)
            self.close_connection = True
        elif fault == "trickle":
            self.head(200, {"Content-Length": "1000000", "Content-Type": "application/json"})
            while not state.closing.wait(0.1):
                self.wfile.write(b" ")
                self.wfile.flush()
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault == "cut":
            self.head(200, {"Content-Length": "500", "Content-Type": "application/json"})
            self.wfile.write(b'{"choices": [')
            self.close_connection = True
        else:
            self.complete(body, digest, fault)

    def complete(self, body: dict, digest: str, fault: str) -> None:
        state = self.server_state
        category, count, shown = parts(body)
        classes = classes_of(body)
        texts = [
            f"Complaint {digest[:12]} number {number} about {category}." for number in range(count)
        ]
        if fault == "duplicate":
            texts = [f"{REPEATED} {category}."] * count
        elif fault == "copy":
            texts = [shown[0].upper() + " !"] * count
        elif fault == "echo":
            texts = [f"{text} {self.headers['Authorization']}" for text in texts]
        other = classes[(classes.index(category) + 1) % len(classes)]
        named = {"other class": other, "unknown class": "?"}.get(fault, category)
        content = json.dumps({"texts": [{"text": text, "category": named} for text in texts]})
        message, finish = {"role": "assistant", "content": content, "refusal": None}, "stop"
        if fault == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
        elif fault == "filtered":
            finish = "content_filter"
        elif fault == "truncated":
            message["content"], finish = content[: len(content) // 2], "length"
        elif fault == "malformed":
            message["content"] = content[:-2]
        elif fault == "empty":
            message["content"] = ""
        usage = {"prompt_tokens": 100 + len(digest) % 7, "completion_tokens": 10 * count}
        completion = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": f"{body['model']}-served",
            "usage": usage | {"total_tokens": sum(usage.values())},
            "choices": [
                {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            ],
        }
        if fault == "no choice":
            completion["choices"] = []
        payload = json.dumps(completion).encode()
        with state.lock:
            state.paid[digest] += 1
            state.tokens.update(usage)
            if not fault:
                state.served += texts
        self.send(200, payload, {})

    def head(self, status: int, headers: dict) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def send(self, status: int, payload: bytes, headers: dict) -> None:
        self.head(
            status,
            {"Content-Type": "application/json", "Content-Length": str(len(payload)), **headers},
        )
        self.wfile.write(payload)


def parts(body: dict) -> tuple[str, int, list[str]]:
    """What a prompt asks for, read as a model would: the category, how many texts, and the examples
    shown.
    """
    prompt = body["messages"][1]["content"]
    category = json.loads(re.search(r'category (".*?(?<!\\)"),', prompt)[1])
    return (
        category,
        int(re.search(r"Write (\d+) ", prompt)[1]),
        json.loads(re.search(r"^\[.*\]$", prompt, re.MULTILINE)[0]),
    )


def classes_of(body: dict) -> list[str]:
    schema = body["response_format"]["json_schema"]["schema"]
    return schema["properties"]["texts"]["items"]["properties"]["category"]["enum"]
