"""Answers `MatchTokenList`: which tokens of a published list are tokens of this vocabulary, by id and bytes."""

from __future__ import annotations

from explorer.base.records.record import Progress
from explorer.base.records.token_lists import ListedToken, MatchTokenList, TokenListMatched
from explorer.base.text import decode
from explorer.base.token_lists import spell_as_report
from explorer.engine.answers.holdings import Holdings
from explorer.engine.control import Control
from explorer.engine.models.vocabulary import Vocabulary
from explorer.engine.queue import Work


def answer(engine: Holdings, request: MatchTokenList, control: Control) -> Work:
    """Match the list, and keep what is about this vocabulary for flags and self-tests."""
    yield Progress(done=0, total=0, what=f"matching {request.name}")
    model = engine.models.get(request.model)
    matched = match_list(model.vocabulary, request)
    used = bool(matched) and 2 * len(matched) >= len(request.tokens)
    if used:
        engine.vocabularies.use_list(model, request.name, matched)
    return TokenListMatched(
        model=request.model,
        name=request.name,
        of_model=request.of_model,
        listed=len(request.tokens),
        matched=len(matched),
        used=used,
    )


def match_list(vocabulary: Vocabulary, request: MatchTokenList) -> tuple[ListedToken, ...]:
    """The listed tokens that the vocabulary has under the same id with the same text; each id once."""
    spell = spell_as_report if request.spelled == "report" else decode
    found: dict[int, ListedToken] = {}
    for token in request.tokens:
        known = 0 <= token.token_id < vocabulary.tokenizer_size
        if known and spell(vocabulary.token_bytes(token.token_id)) == token.spelling:
            found.setdefault(token.token_id, token)
    return tuple(found.values())
