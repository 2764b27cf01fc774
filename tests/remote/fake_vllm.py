"""A server on this machine that speaks as vLLM 0.32 does, with a local model's numbers, and can fail in every way.

Shapes, keys and statuses are those of the recorded pairs in `recorded/`.
"""

from __future__ import annotations

import contextlib
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
        self.refuses = -1
        """A prompt that holds this id is refused, with what was sent."""
        self.asked: list[Body] = []
        """Every completion that was asked for."""
        self.refused: frozenset[int] = frozenset()
        """Ids that no prompt may hold."""
        self.in_flight = self.most_in_flight = 0
        """Completions that are answered now, and the most that were."""
        self.busy_beyond = 0
        """More completions at once are answered by 429, unless it is 0."""
        self.shift = 0.0
        """Added to all logits of even ids: another model."""
        self.hangs = threading.Event()
        """Set where nothing hangs any more."""
        self.connections: set[socket.socket] = set()
        self._http = self._serve(0)

    def _serve(self, port: int) -> ThreadingHTTPServer:
        http = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (_Handler,), {"fake": self}))
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return http

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def die(self) -> None:
        """As a process that is killed: nobody listens any more, and every connection breaks."""
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def revive(self) -> None:
        """Serve again at the same place."""
        self._http = self._serve(self._http.server_address[1])

    def close(self) -> None:
        self.hangs.set()
        self._http.shutdown()
        self._http.server_close()

    def rows(self, prompts: list[list[int]]) -> npt.NDArray[np.float64]:
        """Log-probabilities of all ids after each prompt."""
        keys = [(id(self.model), *prompt) for prompt in prompts]
        with _ONE_AT_A_TIME:
            lacking = [key for key in dict.fromkeys(keys) if key not in _ROWS]
            if lacking:
                every = np.tile(np.arange(self.model.info.vocab_size), (len(lacking), 1))
                told = self.model.start([key[1:] for key in lacking]).read(Wanted(targets=every)).logprobs
                _ROWS.update(zip(lacking, told, strict=True))
            rows = np.stack([_ROWS[key] for key in keys]).astype(np.float64)
        rows[:, ::2] += self.shift
        return np.asarray(rows - np.log(np.exp(rows).sum(axis=1, keepdims=True)))

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
        if any(self.refused.intersection(prompt) for prompt in prompts if not isinstance(prompt, str)):
            return 400, {"error": {"message": "This prompt is not taken."}}
        choices = self._choices(prompts, body, count, targets)
        return 200, {"object": "text_completion", "model": self.served, "choices": choices, "usage": {}}

    def _choices(self, prompts: list[Any], body: Body, count: int | None, targets: list[int] | None) -> list[Body]:
        vocabulary = self.model.vocabulary
        read = [vocabulary.encode(each, with_prefix=False) if isinstance(each, str) else list(each) for each in prompts]
        told: list[list[dict[str, float]]] = [[] for _ in read]
        replies: list[list[int]] = [[] for _ in read]
        for _ in range(body["max_tokens"]):
            live = [at for at, reply in enumerate(replies) if not reply or not self._ends(reply[-1], body)]
            if not live:
                break
            rows = self.rows([[*read[at], *replies[at]] for at in live])
            for at, row in zip(live, rows, strict=True):
                chosen = _chosen(row, body)
                named = targets if targets is not None else np.argsort(-row)[: len(row) if count == -1 else count or 0]
                ids = dict.fromkeys([chosen, *map(int, named)])
                told[at].append({f"token_id:{each}": float(row[each]) for each in ids})
                replies[at].append(chosen)
        return [
            {
                "index": at, "text": vocabulary.decode(replies[at]), "finish_reason": "length",
                "logprobs": None if count is None else {"top_logprobs": told[at]}, "token_ids": replies[at],
                "prompt_token_ids": read[at],
            }
            for at in range(len(read))
        ]  # fmt: skip

    def spoil(self, kind: str, answer: Body) -> Body | bytes:
        """A good answer, made wrong."""
        return _spoiled(kind, answer)

    def about(self, path: str) -> Body | None:
        """What is told of the server; None where nothing is found there."""
        if path == "/v1/models":
            return {"data": [{"id": self.served, "max_model_len": self.model.info.context or 512}]}
        return {"version": self.version} if path == "/version" else None

    def _ends(self, token_id: int, body: Body) -> bool:
        return token_id in self.model.vocabulary.eos_ids and not body.get("ignore_eos")


def _chosen(row: npt.NDArray[np.float64], body: Body) -> int:
    if body["temperature"] == 0:
        return int(row.argmax())
    wide = np.exp(row / body["temperature"])
    return int(np.random.default_rng(body["seed"]).choice(len(row), p=wide / wide.sum()))


class _Handler(BaseHTTPRequestHandler):
    fake: FakeVllm
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer of two parts waits 40 ms for its second

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def setup(self) -> None:
        super().setup()
        self.fake.connections.add(self.connection)

    def finish(self) -> None:
        self.fake.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        fake = self.fake
        told = fake.about(self.path)
        self._send(*((404, {"detail": "Not Found"}) if told is None else (200, told)))

    def do_POST(self) -> None:
        fake = self.fake
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = self.headers.get("authorization", "")
        if fake.key and said != f"Bearer {fake.key}":
            self._send(401, {"error": {"message": f"Incorrect API key provided: {said}"}})
            return
        fault = fake.faults.popleft() if fake.faults else "status 400" * _holds(body, fake.refuses)
        fake.asked.append(body)
        fake.in_flight += 1
        fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
        try:
            time.sleep(fake.seconds)
            if fault:
                self._fail(fault, body, said)
            elif 0 < fake.busy_beyond < fake.in_flight:
                self._send(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.05"})
            else:
                self._send(*fake.complete(body))
        finally:
            fake.in_flight -= 1

    def _fail(self, fault: str, body: Body, said: str) -> None:
        fake = self.fake
        kind, _, value = fault.partition(" ")
        if kind == "die":
            fake.die()
            self.close_connection = True
        elif kind == "hang":
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
            self._send(status, fake.spoil(kind, answer))

    def _send(self, status: int, answer: Body | bytes, headers: dict[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        with contextlib.suppress(OSError):  # who asked may have gone
            self.end_headers()
            self.wfile.write(content)


def _holds(body: Body, token_id: int) -> bool:
    """Whether a prompt of the request holds the id."""
    prompts = body.get("input_ids") or body.get("prompt") or []
    return any(each == token_id or (isinstance(each, list) and token_id in each) for each in prompts)


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
            rows[0] = {}
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
