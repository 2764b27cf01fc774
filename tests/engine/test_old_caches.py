"""Caches that version 0.1 left behind (`old_caches`) give the answers that it gave, and nothing is asked again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from explorer.base.records.plain import load_json
from explorer.base.records.speakability import (
    Certificates,
    ProofCheck,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityResult,
)
from explorer.base.records.unions import AnyOutcome
from explorer.base.records.verification import (
    DefinitionSummary,
    ReadEvidence,
    VerdictEvidence,
    VerificationResult,
    Verify,
)
from explorer.engine.answers.speakability.answer import prove_tokens, read_certificates
from explorer.engine.answers.verification.answer import read_evidence, verify
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import HasWeights, weights_of
from tests.engine_work import CONTROL, outcome_of

OLD = Path(__file__).parent / "old_caches"
IDS = (300, 301, 907, 400, 1213)


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    made.models.load("zoo:mynah")
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "cache")
    return tmp_path / "cache"


def recorded(name: str) -> Any:
    return load_json((OLD / name).read_bytes(), AnyOutcome)


def verified(engine: Engine, cache: Path) -> VerificationResult:
    model = weights_of(engine.models.get("mynah"))
    request = Verify(model="mynah", definitions=("glitchminer", "substring", "sampled"), token_ids=IDS, samples=2)
    result = outcome_of(
        verify(model, outcome_of(engine.vocabularies.read(model, None)), request, CONTROL, cache / "verification")
    )
    assert isinstance(result, VerificationResult)
    return result


def told(result: VerificationResult) -> list[DefinitionSummary]:
    """What the definitions found; an earlier program did not count replies."""
    return [msgspec.structs.replace(definition, replies=None) for definition in result.definitions]


def proved(model: HasWeights, cache: Path) -> tuple[SpeakabilityResult, Certificates]:
    request = ProveSpeakability(model="mynah", token_ids=(300, 301, 907, 1213))
    result = outcome_of(prove_tokens(model, request, CONTROL, cache / "speakability"))
    return result, read_certificates(model, ReadCertificates(of=request), cache / "speakability")


def test_old_evidence_is_used(engine: Engine, cache: Path) -> None:
    files = {path: path.read_bytes() for path in cache.rglob("*.evidence")}
    before: VerificationResult = recorded("verification.json")
    for _ in range(2):  # from the old files, then from the databases that came of them
        found = verified(engine, cache)
        assert (found.answered, found.reused) == (0, 3 * len(IDS))
        assert (found.digest, told(found), found.notes) == (before.digest, told(before), before.notes)
    assert len(files) == 3
    assert {path: path.read_bytes() for path in cache.rglob("*.evidence")} == files
    model = weights_of(engine.models.get("mynah"))
    request = ReadEvidence(of=Verify(model="mynah"), token_id=907, definition="substring")
    evidence = read_evidence(model, outcome_of(engine.vocabularies.read(model, None)), request, cache / "verification")
    assert isinstance(evidence, VerdictEvidence)
    assert (evidence.prompts[0].reply_ids, evidence.prompts[0].logprobs) == ((374,), (-32.128735, -21.911324))


def test_old_evidence_with_a_torn_last_batch_is_asked_again_for_that_batch(engine: Engine, cache: Path) -> None:
    for path in cache.rglob("substring-*.evidence"):
        path.write_bytes(path.read_bytes()[:-1])
    found = verified(engine, cache)
    assert (found.answered, found.reused) == (2, 3 * len(IDS) - 2)
    assert told(found) == told(recorded("verification.json"))


def test_old_proofs_are_used(engine: Engine, cache: Path) -> None:
    before: SpeakabilityResult = recorded("speakability.json")
    for _ in range(2):
        result, made = proved(weights_of(engine.models.get("mynah")), cache)
        assert made == recorded("certificates.json")
        assert result.reused == result.tokens == 4
        assert result.checked == ProofCheck(proved=4)  # which was not recorded then
        same = msgspec.structs.replace(
            result, reused=before.reused, tokens_per_second=before.tokens_per_second, checked=None
        )
        assert same == before


def test_old_proofs_with_a_torn_last_line_are_found_again_for_that_token(engine: Engine, cache: Path) -> None:
    (path,) = cache.rglob("ball.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(path.read_bytes()[: -len(lines[-1])] + lines[-1][:-20])
    result, made = proved(weights_of(engine.models.get("mynah")), cache)
    assert 0 < result.reused <= result.tokens == 4
    before: Certificates = recorded("certificates.json")
    assert [(row.token, row.verdict) for row in made.rows] == [(row.token, row.verdict) for row in before.rows]


def test_damaged_caches_are_said_in_the_answer(engine: Engine, cache: Path) -> None:
    verified(engine, cache)
    proved(weights_of(engine.models.get("mynah")), cache)
    for path in cache.rglob("*.sqlite"):
        path.write_bytes(b"no database" * 100)
    assert sum("damaged" in note for note in verified(engine, cache).notes) == 3
    assert sum("damaged" in note for note in proved(weights_of(engine.models.get("mynah")), cache)[0].notes) == 2
    assert not any("damaged" in note for note in verified(engine, cache).notes)
