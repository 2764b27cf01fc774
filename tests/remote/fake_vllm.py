"""A server on this machine that speaks as vLLM 0.32 does, with a local model's numbers, and can fail in every way.

Shapes, keys and statuses are those of the recorded pairs in `recorded/`.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.models.local import LocalModel
from explorer.engine.models.prediction import Wanted

Body = dict[str, Any]
_ROWS: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}
"""What was computed for any test: most ask the same prompts."""
_ONE_AT_A_TIME = threading.Lock()


class FakeVllm:
    """Serves `model` under the name `rand`."""

    def __init__(self, model: LocalModel) -> None:
        self.model, self.max_logprobs, self.most_targets = model, -1, 128
        self.key = ""
        """Asked for where it is set."""
        self.seconds = 0.0
        """Time that each completion takes."""
        self.version = "0.32.0"
        self.served = "rand"
        self.faults: deque[str] = deque()
        """What goes wrong with the next completions, one after the other."""
        self.asked: list[Body] = []
        """Every completion that was asked for."""
        self.shift = 0.0
        """Added to all logits of even ids: another model."""
        self.hangs = threading.Event()
        """Set where nothing hangs any more."""
        handler = type("Bound", (_Handler,), {"fake": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self.hangs.set()
        self._http.shutdown()
        self._http.server_close()

    def row(self, prompt: list[int]) -> npt.NDArray[np.float64]:
        """Log-probabilities of all ids after `prompt`."""
        every, key = np.arange(self.model.info.vocab_size)[None], (id(self.model), *prompt)
        with _ONE_AT_A_TIME:
            if key not in _ROWS:
                _ROWS[key] = self.model.start([prompt]).read(Wanted(targets=every)).logprobs[0]
            row = _ROWS[key].astype(np.float64)
        row[::2] += self.shift
        return np.asarray(row - np.log(np.exp(row).sum()))

    def complete(self, body: Body) -> tuple[int, Body]:
        """Status and answer."""
        if body["model"] != self.served:
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
        count, targets = body.get("logprobs"), body.get("logprob_token_ids")
        size = self.model.info.vocab_size
        if count is not None and self.max_logprobs >= 0 and not 0 <= count <= self.max_logprobs:
            return 400, {"error": {"message": f"Requested {count}, which is greater than max allowed"}}
        if targets is not None and self.most_targets == 0:
            targets = None  # an older vLLM ignores what it does not know
        if targets is not None and (len(targets) > self.most_targets or max(targets) >= size):
            return 400, {"error": {"message": "logprob_token_ids"}}
        prompts = body["prompt"]
        if prompts and isinstance(prompts[0], int):
            prompts = [prompts]
        if any(token_id >= size for prompt in prompts if not isinstance(prompt, str) for token_id in prompt):
            return 400, {"error": {"message": "Token id is out of vocabulary"}}
        choices = [self._choice(index, prompt, body, count, targets) for index, prompt in enumerate(prompts)]
        return 200, {"object": "text_completion", "model": self.served, "choices": choices, "usage": {}}

    def _choice(self, index: int, prompt: Any, body: Body, count: int | None, targets: list[int] | None) -> Body:
        vocabulary = self.model.vocabulary
        ids = vocabulary.encode(prompt, with_prefix=False) if isinstance(prompt, str) else list(prompt)
        told: list[dict[str, float]] = []
        reply: list[int] = []
        for _ in range(body["max_tokens"]):
            row = self.row([*ids, *reply])
            chosen = int(row.argmax())
            if body["temperature"] > 0:
                wide = np.exp(row / body["temperature"])
                chosen = int(np.random.default_rng(body["seed"]).choice(len(row), p=wide / wide.sum()))
            named = targets if targets is not None else np.argsort(-row)[: len(row) if count == -1 else count or 0]
            told.append({f"token_id:{each}": float(row[each]) for each in dict.fromkeys([chosen, *map(int, named)])})
            reply.append(chosen)
            if chosen in vocabulary.eos_ids and not body.get("ignore_eos"):
                break
        places = None if count is None else {"top_logprobs": told}
        return {
            "index": index, "text": vocabulary.decode(reply), "logprobs": places, "finish_reason": "length",
            "token_ids": reply, "prompt_token_ids": ids,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    fake: FakeVllm
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        fake = self.fake
        if self.path == "/v1/models":
            self._send(200, {"data": [{"id": fake.served, "max_model_len": fake.model.info.context or 512}]})
        elif self.path == "/version":
            self._send(200, {"version": fake.version})
        else:
            self._send(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        fake = self.fake
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = self.headers.get("authorization", "")
        if fake.key and said != f"Bearer {fake.key}":
            self._send(401, {"error": {"message": f"Incorrect API key provided: {said}"}})
            return
        fault = fake.faults.popleft() if fake.faults else ""
        fake.asked.append(body)
        time.sleep(fake.seconds)
        if fault:
            self._fail(fault, body, said)
        else:
            self._send(*fake.complete(body))

    def _fail(self, fault: str, body: Body, said: str) -> None:
        fake = self.fake
        kind, _, value = fault.partition(" ")
        if kind == "hang":
            fake.hangs.wait(30)
            self.close_connection = True
        elif kind == "status":
            self._send(int(value), {"error": {"message": f"{said} is what you sent. Try later"}})
        elif kind == "busy":
            self._send(429, {"error": {"message": "slow down"}}, {"Retry-After": value})
        elif kind == "broken":
            self._send(500, {"error": {"message": "EngineCore encountered an issue"}})
        elif kind == "away":
            self._send(307, {}, {"Location": "http://127.0.0.1:1/v1/completions"})
        elif kind == "cut":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            status, answer = fake.complete(body)
            self._send(status, _spoiled(kind, answer))

    def _send(self, status: int, answer: Body | bytes, headers: dict[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _spoiled(kind: str, answer: Body) -> Body | bytes:
    """A good answer, made wrong."""
    choice = answer["choices"][0]
    rows = choice["logprobs"]["top_logprobs"]
    match kind:
        case "half":
            content = json.dumps(answer).encode()
            return content[: len(content) // 2]
        case "other-ids":
            choice["prompt_token_ids"] = [*choice["prompt_token_ids"][:-1], 3]
        case "nan":
            rows[0] = dict.fromkeys(rows[0], float("nan"))
        case "null":
            rows[0] = dict.fromkeys(rows[0], None)
        case "positive":
            rows[0] = dict.fromkeys(rows[0], 0.5)
        case "fewer":
            rows.pop()
        case "no-target":
            rows[0] = dict(list(rows[0].items())[:1])
        case "not-likeliest":
            rows[0] = {key: value if place else value - 30 for place, (key, value) in enumerate(rows[0].items())}
        case "far-id":
            choice["token_ids"][0] = 10**9
            rows[0] = {f"token_id:{10**9}": -0.1, **rows[0]}
        case "one-choice-less":
            answer["choices"].pop()
        case "deep":
            return b'{"choices": ' + b"[" * 100_000
        case _:
            raise ValueError(kind)
    return answer
