"""A loopback server of OpenAI's protocol that answers the same to the same and counts its pay."""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ("card", "loan", "fee", "bank", "late", "charge", "letter", "call", "wrong", "paid")


class Server:
    """`url` is its address; `paid` counts the answers to each request, by its digest."""

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()
        handler = type("Handler", (_Handler,), {"paid": self.paid})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    paid: Counter[str]

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        prompt = body["messages"][1]["content"]
        category = json.loads(re.search(r'category (".*?(?<!\\)"),', prompt)[1])
        count = int(re.search(r"Write (\d+) ", prompt)[1])
        rng = random.Random(digest)
        texts = [
            {"text": " ".join(rng.choices(WORDS, k=12)) + f" {i}", "category": category}
            for i in range(count)
        ]
        message = {"role": "assistant", "content": json.dumps({"texts": texts}), "refusal": None}
        answer = json.dumps(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 10 * count,
                    "total_tokens": 100 + 10 * count,
                },
                "choices": [
                    {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
                ],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.paid[digest] += 1
