"""A server that speaks as llama-server does, with a local model's numbers; it fails as `fake_vllm` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.models.remote.llama_server import is_unfinished
from tests.remote.fake_vllm import Body, FakeVllm


class FakeLlama(FakeVllm):
    """Tells nothing of a chosen token that ends inside a letter, as llama.cpp does."""

    forces = True
    """Whether it knows `logit_bias`; a field that it does not know is ignored with status 200."""

    def about(self, path: str) -> Body | None:
        info = self.model.info
        meta = {"n_vocab": info.vocab_size, "n_ctx": info.context or 512, "ftype": "all F32"}
        told: dict[str, Body] = {
            "/v1/models": {"data": [{"id": self.served, "meta": meta}]},
            "/props": {"build_info": self.version, "default_generation_settings": {"n_ctx": info.context or 512}},
        }
        return told.get(path)

    def complete(self, body: Body) -> tuple[int, Body]:
        prompt, size = body["prompt"], self.model.info.vocab_size
        if max(prompt) >= size:
            return 400, {"error": {"message": "Prompt contains invalid tokens"}}
        if self.refused.intersection(prompt):
            return 400, {"error": {"message": "This prompt is not taken."}}
        (row,) = self.rows([prompt])
        forced = [int(token_id) for token_id, _ in body.get("logit_bias", ())] if self.forces else []
        chosen = forced[0] if forced else int(row.argmax())
        told = [] if is_unfinished(self.model.vocabulary.token_bytes(chosen)) else [self._place(row, chosen, body)]
        return 200, {"tokens": [chosen], "completion_probabilities": told, "tokens_evaluated": len(prompt)}

    def _place(self, row: npt.NDArray[np.float64], chosen: int, body: Body) -> Body:
        named = np.argsort(-row)[: body["n_probs"]].tolist()
        return {**self._entry(row, chosen), "top_logprobs": [self._entry(row, each) for each in named]}

    def _entry(self, row: npt.NDArray[np.float64], token_id: int) -> Body:
        vocabulary = self.model.vocabulary
        token = b"" if token_id in vocabulary.special_ids else vocabulary.token_bytes(token_id)
        return {"id": token_id, "logprob": float(row[token_id]), "bytes": list(token)}

    def spoil(self, kind: str, answer: Body) -> Body | bytes:
        place: Any = answer["completion_probabilities"][0]
        match kind:
            case "other-ids":
                answer["tokens_evaluated"] += 1
            case "null":
                place["logprob"] = None
            case "nan":
                place["logprob"] = float("nan")
            case "positive":
                place["logprob"] = 0.5
            case "no-target":
                answer["completion_probabilities"] = []
            case "not-likeliest":
                place["top_logprobs"][0]["logprob"] = place["logprob"] - 30
            case _:
                return super().spoil(kind, answer)
        return answer
