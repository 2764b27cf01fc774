"""What models said, kept as long as they are loaded: a question that was stopped, or asked again with another model,
goes on where it was."""

from __future__ import annotations

from collections.abc import Collection
from weakref import WeakKeyDictionary

from explorer.base.records.repeat_back import Chat
from explorer.engine.answers.lineage.asked import Told
from explorer.engine.models.abilities import GeneratesReplies

MOST_BYTES = 512 * 2**20
"""Kept at most before a new question: 40 answers to 20 tokens in 4 prompts by a model of 50,000 tokens."""


class KeptAnswers:
    """By model and format; a model that is unloaded takes its answers along."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._told: WeakKeyDictionary[GeneratesReplies, dict[Chat, Told]] = WeakKeyDictionary()

    def of(self, model: GeneratesReplies, chat: Chat) -> Told:
        """What `model` said so far, to be added to."""
        return self._told.setdefault(model, {}).setdefault(chat, Told())

    def make_room(self, asked: Collection[GeneratesReplies]) -> None:
        """Forget what models said that are not `asked` now; and all, where their own answers are too many."""
        for model in list(self._told):
            if self._size() > self._most and model not in asked:
                del self._told[model]
        if self._size() > self._most:
            self._told.clear()

    def _size(self) -> int:
        each = (told for formats in self._told.values() for told in formats.values())
        return sum(row.nbytes for told in each for row in told.rows.values())
