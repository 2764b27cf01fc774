"""How a prompt of ids is put to a server that takes text, or questions for its own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explorer.engine.models.errors import ModelError
from explorer.engine.models.remote.checks import BadAnswer
from explorer.engine.models.vocabulary import Vocabulary

_MARK = "QUESTION"


class Unsendable(BadAnswer):
    """The server cannot be asked, or understood, in this; its other answers are none the worse."""

    def __init__(self, why: str) -> None:
        hint = "Ask a server that takes ids (vLLM, SGLang, llama-server), or another prompt."
        ModelError.__init__(self, f"not available from this server: {why}", hint)
        self.why = why


@dataclass(frozen=True)
class Question:
    """A prompt that a chat template wrote, and the reply so far."""

    text: str
    reply: tuple[int, ...]


def text_of(vocabulary: Vocabulary, prompt: Sequence[int], prefix: Sequence[int]) -> str:
    """The text that is read as `prompt` where the server puts `prefix` before it; raises `Unsendable`."""
    if tuple(prompt[: len(prefix)]) == tuple(prefix):
        body = list(prompt[len(prefix) :])
        text = vocabulary.decode(body)
        for written in (text, text.removeprefix(" ")):  # SentencePiece puts a space before a text
            if "\ufffd" not in written and vocabulary.encode(written, with_prefix=False) == body:
                return written
    raise Unsendable("it takes text, and would read the text of this prompt as other tokens")


class ChatShape:
    """What the tokenizer's chat template writes around a question."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Raises `Unsendable` where the tokenizer has no template, or one that changes questions."""
        self._vocabulary = vocabulary
        before, mark, after = (vocabulary.chat_prompt(_MARK) or "").partition(_MARK)
        if not mark or not after:
            raise Unsendable("it takes questions alone, and the tokenizer at hand has no chat template for them")
        self._before, self._after = before, after

    def prompt(self, question: str) -> list[int]:
        """The ids of a whole prompt."""
        return self._vocabulary.encode(self._before + question + self._after, with_prefix=False)

    def question_of(self, prompt: Sequence[int]) -> Question:
        """The question in a prompt, with the reply after it; raises `Unsendable`."""
        text = self._vocabulary.decode(list(prompt))
        end = text.rfind(self._after)
        if text.startswith(self._before) and end >= len(self._before):
            question = text[len(self._before) : end]
            ids = self.prompt(question)
            if list(prompt[: len(ids)]) == ids:
                return Question(question, tuple(prompt[len(ids) :]))
        raise Unsendable("it takes questions alone, and this prompt is none that the chat template writes as text")
