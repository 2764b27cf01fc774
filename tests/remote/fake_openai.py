"""A server that speaks as OpenAI's API does, as narrowly as is wanted, with a local model's numbers; and one that
speaks as SGLang does. Both fail in every way that `fake_vllm` does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.models.local import LocalModel
from tests.remote.fake_vllm import Body, FakeVllm

_COMPLETIONS = {
    "model", "prompt", "max_tokens", "temperature", "top_p", "logprobs", "echo", "seed",
}  # fmt: skip
_CHAT = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "logprobs", "top_logprobs",
         "seed"}  # fmt: skip


class FakeOpenAi(FakeVllm):
    """Refuses every field that OpenAI's own API does not have."""

    def __init__(self, model: LocalModel) -> None:
        super().__init__(model)
        self.reads, self.keyed, self.echoes, self.counts, self.top = "text", "text", False, True, 5
        """`reads`: ids, text or chat; `counts`: whether it says how many tokens it read; `top` 0: no numbers."""
        self.length_key = "max_tokens"
        self.listed = True
        """Whether it lists its models."""

    def about(self, path: str) -> Body | None:
        return {"data": [{"id": self.served}]} if path == "/v1/models" and self.listed else None

    def complete(self, body: Body) -> tuple[int, Body]:
        known = _CHAT if "messages" in body else _COMPLETIONS
        if unknown := set(body) - known:
            return 400, {"error": {"message": f"Unrecognized request arguments: {unknown}"}}
        if (self.reads == "chat") != ("messages" in body):
            return 404, {"error": {"message": "no such path"}}
        if body["model"] != self.served:
            return 404, {"error": {"message": "no such model"}}
        if self.length_key not in body:
            return 400, {"error": {"message": f"use {self.length_key}"}}
        if "prompt" in body and not isinstance(body["prompt"], str) and self.reads != "ids":
            return 400, {"error": {"message": "prompt must be a string"}}
        count = int(body.get("top_logprobs", body.get("logprobs", 0)) or 0)
        if count > self.top > 0:
            return 400, {"error": {"message": f"at most {self.top} log-probabilities"}}
        return 200, self._answer(body, self._read(body), min(count, self.top))

    def _read(self, body: Body) -> list[int]:
        vocabulary = self.model.vocabulary
        if "messages" in body:
            written = vocabulary.chat_prompt(body["messages"][-1]["content"])
            assert written is not None, "a model with a chat template"
            return vocabulary.encode(written, with_prefix=False)
        prompt = body["prompt"]
        return vocabulary.encode(prompt) if isinstance(prompt, str) else list(prompt)

    def _answer(self, body: Body, read: list[int], count: int) -> Body:
        vocabulary = self.model.vocabulary
        reply: list[int] = []
        places: list[tuple[int, npt.NDArray[np.float64] | None]] = []
        if body.get("echo") and self.echoes:
            rows = self.rows([read[:at] for at in range(1, len(read))])
            places = list(zip(read, [None, *rows], strict=True))
        ended = False
        while len(reply) < body[self.length_key] and not ended:
            (row,) = self.rows([[*read, *reply]])
            chosen = int(row.argmax())
            if body["temperature"] > 0:
                wide = np.exp(row / body["temperature"])
                chosen = int(np.random.default_rng(body.get("seed")).choice(len(row), p=wide / wide.sum()))
            ended = chosen in vocabulary.eos_ids
            if not ended:
                reply.append(chosen)
                places.append((chosen, row))
        told = self._told(places, count, chat="messages" in body) if count else None
        text = vocabulary.decode(reply)
        said: Body = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
        choice = {"index": 0, **said, "logprobs": told, "finish_reason": "stop" if ended else "length"}
        usage = {"prompt_tokens": len(read), "completion_tokens": len(reply)} if self.counts else None
        return {"model": self.served, "choices": [choice], "usage": usage}

    def _told(self, places: list[tuple[int, npt.NDArray[np.float64] | None]], count: int, chat: bool) -> Body:
        named = [[] if row is None else np.argsort(-row)[:count].tolist() for _, row in places]
        own = [None if row is None else float(row[chosen]) for chosen, row in places]
        if chat or self.keyed != "text":
            rows = [
                [self._entry(each, float(row[each])) for each in ids] if row is not None else []
                for ids, (_, row) in zip(named, places, strict=True)
            ]
            entries = [self._entry(chosen, logprob) for (chosen, _), logprob in zip(places, own, strict=True)]
            return {"content": [{**one, "top_logprobs": row} for one, row in zip(entries, rows, strict=True)]}
        tops: list[dict[str, float] | None] = []
        for ids, (_, row) in zip(named, places, strict=True):
            kept: dict[str, float] = {}
            for each in ids:
                kept.setdefault(self._text(each), 0.0 if row is None else float(row[each]))
            tops.append(kept or None)
        return {"tokens": [self._text(each) for each, _ in places], "token_logprobs": own, "top_logprobs": tops}

    def _text(self, token_id: int) -> str:
        return self.model.vocabulary.decode([token_id])

    def _entry(self, token_id: int, logprob: float | None) -> Body:
        entry: Body = {"token": self._text(token_id), "logprob": logprob}
        if self.keyed != "text":
            entry["bytes"] = list(self.model.vocabulary.token_bytes(token_id))
        if self.keyed == "id":
            entry["id"] = token_id
        return entry

    def spoil(self, kind: str, answer: Body) -> Body | bytes:
        choice, usage = answer["choices"][0], answer["usage"]
        told = choice["logprobs"]
        rows = [place["top_logprobs"] for place in told["content"]] if "content" in told else None
        match kind:
            case "half":
                content = json.dumps(answer).encode()
                return content[: len(content) // 2]
            case "other-ids":
                usage["prompt_tokens"] += 1
            case "nan" | "null" | "positive":
                value = {"nan": float("nan"), "null": None, "positive": 0.5}[kind]
                if rows is None:
                    told["top_logprobs"][0] = dict.fromkeys(told["top_logprobs"][0], value)
                else:
                    rows[0][0]["logprob"] = value
            case "not-likeliest":
                told["token_logprobs"][0] -= 30
            case "far-id":
                assert rows is not None
                rows[0][0]["id"] = 10**8
            case "other-id":
                assert rows is not None
                rows[0][0]["id"] += 1
            case "one-choice-less":
                answer["choices"].pop()
            case "wrong-keys":
                told["tokens"] = [f"{each}¶¶" for each in told["tokens"]]
                told["top_logprobs"] = [{f"{key}¶¶": value for key, value in row.items()}
                                        for row in told["top_logprobs"]]  # fmt: skip
            case "deep":
                return b'{"choices": ' + b"[" * 100_000
            case _:
                raise ValueError(kind)
        return answer


class FakeSglang(FakeVllm):
    """Fields as in SGLang's sources."""

    def about(self, path: str) -> Body | None:
        told: dict[str, Body] = {
            "/get_model_info": {"model_path": self.served},
            "/get_server_info": {"version": "0.5.23", "dtype": "auto", "context_length": None},
        }
        return told.get(path)

    def complete(self, body: Body) -> tuple[int, Any]:
        texts = body.get("text")
        vocabulary = self.model.vocabulary
        prompts = [vocabulary.encode(text) for text in texts] if texts else body["input_ids"]
        places = body["sampling_params"]["max_new_tokens"]
        targets = body.get("token_ids_logprob") or [[] for _ in prompts]
        if self.most_targets == 0:
            targets = [[] for _ in prompts]
        return 200, [self._reply(body, *each, places) for each in zip(prompts, targets, strict=True)]

    def _reply(self, body: Body, prompt: list[int], targets: list[int], places: int) -> Body:
        count = min(body.get("top_logprobs_num", 0), self.max_logprobs if self.max_logprobs >= 0 else 1 << 30)
        reply: list[int] = []
        own, tops, asked = [], [], []
        for _ in range(places):
            (row,) = self.rows([[*prompt, *reply]])
            reply.append(int(row.argmax()))
            own.append([float(row[reply[-1]]), reply[-1], None])
            tops.append([[float(row[each]), int(each), None] for each in np.argsort(-row)[:count]] or None)
            asked.append([[float(row[each]), each, None] for each in targets] or None)
        meta: Body = {"prompt_tokens": len(prompt), "output_token_logprobs": own, "output_top_logprobs": tops,
                      "output_token_ids_logprobs": asked}  # fmt: skip
        if body.get("logprob_start_len") == 0:
            meta["input_token_logprobs"] = [[None, each, None] for each in prompt]
        return {"text": "", "output_ids": reply, "meta_info": meta}
