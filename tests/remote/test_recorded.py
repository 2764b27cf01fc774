"""Answers that vLLM 0.32.0 and llama.cpp gave, as they were recorded, read by the backends."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest

from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import LocalModel
from explorer.engine.models.remote.checks import BadAnswer
from explorer.engine.models.remote.client import Query
from explorer.engine.models.remote.llama_server import LlamaServer
from explorer.engine.models.remote.openai_answers import read_answer
from explorer.engine.models.remote.openai_asking import Asking
from explorer.engine.models.remote.openai_replies import Replies
from explorer.engine.models.remote.vllm import Vllm

RECORDED = Path(__file__).parent / "recorded"
PROMPT = [20, 21, 22, 907, 7]


class Recorded:
    """Gives one recorded answer, whatever is asked, and keeps the questions."""

    def __init__(self, name: str) -> None:
        self.pair: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
        self.asked: list[Query] = []

    async def ask(self, query: Query) -> bytes:
        self.asked.append(query)
        return json.dumps(self.pair["answer"]).encode()


def vllm(name: str) -> tuple[Vllm, Recorded]:
    recorded = Recorded(name)
    backend = Vllm(recorded, "rand")
    backend.vocab_size = 3088
    return backend, recorded


class Tokens:
    """Whole bytes for every id but 134."""

    eos_ids = frozenset({0})

    def token_bytes(self, token_id: int) -> bytes:
        return b"\xc2" if token_id == 134 else b"a"


def llama(name: str) -> tuple[LlamaServer, Recorded]:
    recorded = Recorded(name)
    backend = LlamaServer(recorded, "")
    backend.vocab_size = 3088
    backend.use_tokens(Tokens(), 72)
    return backend, recorded


def test_vllm_tells_a_target_at_each_place_of_a_greedy_reply() -> None:
    backend, recorded = vllm("vllm_target_three_tokens")
    (told,) = asyncio.run(backend.score([PROMPT], [907], 3))
    assert told.ids == (625, 2695, 1867)
    assert told.logprobs == pytest.approx((-8.49781608581543, -13.98535442352295, -11.773811340332031))
    sent, before = recorded.asked[0].body, recorded.pair["request"]["body"]
    assert recorded.asked[0].path == recorded.pair["request"]["path"]
    same = ("model", "temperature", "max_tokens", "logprobs", "logprob_token_ids", "return_token_ids")
    assert {key: sent[key] for key in same} == {key: before[key] for key in same}


def test_vllm_tells_each_prompt_of_a_batch_its_own_target() -> None:
    backend, _ = vllm("vllm_batch_union")
    told = asyncio.run(backend.score([[20, 907, 7], [20, 1500, 7], [20, 260, 7]], [907, 1500, 260], 1))
    assert told[0].ids == (2257,)
    assert told[0].logprobs == pytest.approx((-10.151800155639648,))
    assert len({each.logprobs for each in told}) == 3
    with pytest.raises(BadAnswer, match="read other ids"):
        asyncio.run(backend.score([[20, 907, 7], [20, 1500, 8], [20, 260, 7]], [907, 1500, 260], 1))


def test_what_an_old_vllm_ignores_is_found_missing_and_not_taken_for_an_answer() -> None:
    backend, _ = vllm("vllm_unknown_field_is_ignored")
    with pytest.raises(BadAnswer, match="0 of 1 places"):
        asyncio.run(backend.score([PROMPT], [5], 1))


def test_log_probabilities_by_text_are_refused() -> None:
    backend, recorded = vllm("vllm_text_keyed_top5")
    with pytest.raises(ModelError, match="which ids it read"):
        asyncio.run(backend.likeliest(PROMPT, 5))
    recorded.pair["answer"]["choices"][0] |= {"token_ids": [625], "prompt_token_ids": PROMPT}
    with pytest.raises(BadAnswer, match="not told by id"):
        asyncio.run(backend.likeliest(PROMPT, 5))


def test_llama_server_tells_a_forced_target_and_the_likeliest_id() -> None:
    backend, recorded = llama("llama_forced_target")
    (told,) = asyncio.run(backend.score([PROMPT], [907], 1))
    assert told.ids == (91,)
    assert told.logprobs == pytest.approx((-21.641992568969727,))
    assert recorded.asked[0].body["logit_bias"][0][0] == 907
    with pytest.raises(BadAnswer, match="read 5 ids where 4"):
        asyncio.run(backend.score([PROMPT[1:]], [907], 1))


def test_a_target_of_part_of_a_letter_is_not_forced_and_its_missing_number_is_noticed() -> None:
    backend, recorded = llama("llama_forced_incomplete_utf8")
    with pytest.raises(BadAnswer, match="of id 72 is missing"):
        asyncio.run(backend.score([PROMPT], [134], 1))
    assert recorded.asked[0].body["logit_bias"][0][0] == 72, "a harmless token is forced, and all numbers are asked for"
    assert recorded.asked[0].body["n_probs"] == 3088


def test_one_number_for_several_tokens_of_one_text_is_not_trusted(starling: LocalModel) -> None:
    """A server that keys by text tells but one of them: here the third, and not the likeliest, which was chosen."""
    cat = starling.vocabulary.find(b" cat")
    assert cat is not None
    row = {"\ufffd": math.log(0.1), " cat": math.log(0.3)}
    told = {"tokens": ["\ufffd"], "token_logprobs": [math.log(0.4)], "top_logprobs": [row]}
    answer = read_answer(json.dumps({"choices": [{"text": "\ufffd", "logprobs": told}]}).encode())
    found = Replies(Asking(Recorded("vllm_text_keyed_top5"), starling.vocabulary, "rand")).told(answer.places[0], 5)
    assert found.ids.tolist() == [cat]
    assert (found.sure, found.count, found.chosen) == (0, 2, -1), "which is the likeliest is not known"
    assert found.at_most >= math.log(0.4), "the likeliest may be any token with this text"
