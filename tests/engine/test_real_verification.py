"""Verification of a real model: the plain loop's numbers, controls that fail, and what a cascade leaves alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.base.records.verification import ReadEvidence, VerificationResult, Verify
from explorer.engine.answers.verification.answer import read_evidence, verify
from explorer.engine.answers.vocabulary import Read
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import HasHidden
from tests.behaviour.behaviour_fakes import run_through

CONTROL = Control(lambda: False, lambda part: None)
TEXTS = (" Paris", "PlaneProtection", " transistorsum", " morning")
"""Two words, and two tokens whose rows have bit-identical twins."""


@pytest.fixture(scope="module")
def smollm2(smollm2_gguf: Path) -> HasHidden:
    model = Engine().models.load(str(smollm2_gguf), dtype="float32", device="cpu")
    assert isinstance(model, HasHidden)
    return model


@pytest.fixture(scope="module")
def read(smollm2: HasHidden) -> Read:
    return run_through(Engine().vocabularies.read(smollm2, None))[1]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared: what one test asked, the next finds on disk."""
    return tmp_path_factory.mktemp("evidence")


def swept(model: HasHidden, read: Read, cache: Path, **chosen: Any) -> tuple[VerificationResult, Verify]:
    ids = tuple(model.vocabulary.find(text.encode()) for text in TEXTS)
    request = Verify(model=model.info.name, token_ids=ids, **chosen)  # type: ignore[arg-type]
    result = run_through(verify(model, read, request, CONTROL, cache))[1]
    assert isinstance(result, VerificationResult)
    return result, request


def test_a_batch_says_what_a_plain_loop_says(smollm2: HasHidden, read: Read, cache: Path) -> None:
    _, request = swept(smollm2, read, cache, definitions=("magikarp",))
    assert request.token_ids is not None
    for token_id in request.token_ids[:2]:
        asked = ReadEvidence(of=request, definition="magikarp", token_id=token_id)
        for prompt in read_evidence(smollm2, read, asked, cache).prompts:
            with torch.no_grad():
                logits = smollm2.hf(input_ids=torch.tensor([prompt.prompt_ids]), use_cache=False).logits[0, -1]
            logprob = float(logits.float().log_softmax(-1)[token_id])
            assert math.exp(prompt.logprobs[0]) == pytest.approx(math.exp(logprob), rel=1e-4)


def test_plain_says_nothing_of_a_model_that_answers_in_sentences_and_magikarp_does(
    smollm2: HasHidden, read: Read, cache: Path
) -> None:
    result, _ = swept(smollm2, read, cache, definitions=("magikarp", "plain"), controls=4, cascade=True)
    magikarp, plain = result.definitions
    assert magikarp.controls is not None
    assert plain.controls is not None
    assert (magikarp.controls.called, magikarp.controls.fail) == (0, False)
    assert plain.controls.fail
    assert plain.verified + plain.weak == 0 < plain.silenced
    assert magikarp.verified == 2, "the two with twins; no verdict of magikarp is touched"
    assert result.skipped > 0
    assert np.isfinite(result.tokens_per_second)
