"""What a model's chat template does to verifications: one that fails, and one that writes the date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from explorer.base.records.models import ModelInfo
from explorer.base.records.verification import VerificationResult, Verify
from explorer.engine.answers.verification.answer import verify
from explorer.engine.handlers import Engine
from explorer.engine.models.errors import ModelError
from explorer.zoo import zoo_dir
from tests.engine_work import CONTROL, outcome_of

DATED = "{{ strftime_now('%d %b %Y') }} {% for m in messages %}{{ m['content'] }}{% endfor %}"
RAISING = "{{ raise_exception('System message is required') }}"
IDS = (300, 301)


def instruct_with(template: str, folder: Path) -> str:
    """The source of a copy of mynah-instruct with another chat template."""
    for file in zoo_dir("mynah-instruct").iterdir():
        (folder / file.name).symlink_to(file)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    return str(folder)


def verified(engine: Engine, info: ModelInfo, cache: Path, **asked: Any) -> VerificationResult:
    model = engine.models.get(info.name)
    read = outcome_of(engine.vocabularies.read(model, None))
    request = Verify(model=info.name, token_ids=IDS, **asked)
    result = outcome_of(verify(model, read, request, CONTROL, cache))
    assert isinstance(result, VerificationResult)
    return result


def test_a_template_that_fails_stops_only_what_needs_it(tmp_path: Path) -> None:
    engine, source = Engine(), tmp_path / "model"
    source.mkdir()
    info = engine.models.load(instruct_with(RAISING, source)).info
    names = ("magikarp", "glitchminer", "plain", "geometric")
    result = verified(engine, info, tmp_path, definitions=names)
    inconclusive = {found.name.partition(":")[0]: found.inconclusive for found in result.definitions}
    assert inconclusive["glitchminer"] == inconclusive["plain"] == len(IDS)
    assert inconclusive["magikarp"] == inconclusive["geometric"] == 0
    (note,) = [note for note in result.notes if "chat template" in note]
    assert "glitchminer, repeat-1: the chat template fails: TemplateError: System message is required" in note
    plain = verified(engine, info, tmp_path, definitions=names, chat="never")
    assert {found.inconclusive for found in plain.definitions} == {0}
    assert plain.answered > 0, "asked another way, it is another question"


def test_without_the_template_the_same_is_asked_as_of_a_plain_model(tmp_path: Path) -> None:
    engine = Engine()
    info = engine.models.load("zoo:mynah-instruct").info
    through = verified(engine, info, tmp_path, definitions=("plain", "magikarp"))
    without = verified(engine, info, tmp_path, definitions=("plain", "magikarp"), chat="never")
    assert 0 < without.answered < through.answered + through.reused, "the raw forms of magikarp are on disk already"


def test_days_never_mix_on_the_disk(tmp_path: Path) -> None:
    engine, source = Engine(), tmp_path / "model"
    source.mkdir()
    place = instruct_with(DATED, source)
    first = engine.models.load(place, chat_day="2026-11-27")
    again = engine.models.load(place, chat_day="2026-11-27")
    second = engine.models.load(place, chat_day="2026-11-28")
    assert again is first
    assert (first.info.chat_day, second.info.chat_day) == ("2026-11-27", "2026-11-28")
    asked = {"definitions": ("plain", "magikarp")}
    assert verified(engine, first.info, tmp_path, **asked).answered > len(IDS)
    assert verified(engine, first.info, tmp_path, **asked).answered == 0
    other_day = verified(engine, second.info, tmp_path, **asked)
    assert other_day.answered == len(IDS), "the plain question; magikarp's raw forms have no date"
    with pytest.raises(ModelError, match="not a date"):
        engine.models.load(place, chat_day="yesterday")


def test_a_model_whose_template_writes_no_date_is_one_whatever_the_day() -> None:
    engine = Engine()
    first = engine.models.load("zoo:mynah-instruct")
    assert first.info.chat_day == ""
    assert engine.models.load("zoo:mynah-instruct", chat_day="2020-02-02") is first
