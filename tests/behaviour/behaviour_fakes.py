"""A small vocabulary and deterministic models whose distributions the tests know exactly."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from explorer.base.records.models import ModelInfo
from explorer.base.records.tokens import CATEGORIES, TokenRef
from explorer.engine.models.prediction import Prediction, Wanted, predict

if TYPE_CHECKING:
    from explorer.engine.models.vocabulary import Vocabulary

Rule = Callable[[tuple[int, ...], int], Sequence[float] | Tensor]
"""(all ids so far, how many of them are prompt) → next-token logits."""

BOS, EOS, USER, ASSISTANT = 0, 1, 2, 3
WORDS = (" Foo", "Foo", " the", " cat", " dog", " sun", " sky", "cat", "dog", "ab", "'", "''", ".", " ")


class FakeVocabulary:
    """Four specials, 256 single bytes, some words, some unreachable words, two padding rows.

    Text is tokenised by longest match over the special tokens, `words` and bytes.
    """

    def __init__(
        self,
        words: Sequence[str] = WORDS,
        unreachable: Sequence[bytes] = (b" Glitch", b" Turbine", b"\xe4\xb8"),
        *,
        chat: bool = False,
        bos: bool = True,
    ) -> None:
        specials = (b"<s>", b"</s>", b"<|user|>", b"<|assistant|>")
        singles = tuple(bytes([byte]) for byte in range(256))
        known = tuple(word.encode() for word in words if len(word.encode()) > 1)
        self._tokens = (*specials, *singles, *known, *unreachable, b"", b"")
        reachable = len(specials) + len(singles) + len(known)
        self._reachable = {token: place for place, token in enumerate(self._tokens[:reachable])}
        self._longest = max(map(len, self._tokens))
        self.size = len(self._tokens)
        self.tokenizer_size = self.size - 2
        self.prefix_ids = (BOS,) if bos else ()
        self.eos_ids = frozenset({EOS})
        self.special_ids = frozenset(range(4))
        self.has_chat_template = chat
        categories = ["special"] * 4 + ["byte"] * 256 + ["ok"] * len(known)
        categories += ["unreachable"] * len(unreachable) + ["padding"] * 2
        self.categories = np.array([CATEGORIES.index(cast(Any, name)) for name in categories], dtype=np.uint8)

    def id_of(self, text: str | bytes) -> int:
        """The id of a token by its text or bytes, the last where two have them (never a padding row)."""
        token = text.encode() if isinstance(text, str) else text
        return max(place for place, known in enumerate(self._tokens) if known == token)

    def token_bytes(self, token_id: int) -> bytes:
        return self._tokens[token_id]

    def text(self, token_id: int) -> str:
        return self._tokens[token_id].decode("utf-8", "replace")

    def ref(self, token_id: int) -> TokenRef:
        return TokenRef(token_id=token_id, token_bytes=self._tokens[token_id].hex(), text=self.text(token_id))

    def find(self, token_bytes: bytes) -> int | None:
        return self._tokens.index(token_bytes) if token_bytes and token_bytes in self._tokens else None

    def blob(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        offsets = np.cumsum([0, *map(len, self._tokens)]).astype(np.int64)
        return np.frombuffer(b"".join(self._tokens), dtype=np.uint8), offsets

    def encode(self, text: str, *, with_prefix: bool = True) -> list[int]:
        return [*(self.prefix_ids if with_prefix else ()), *self.encode_segment(text)]

    def encode_segment(self, text: str) -> list[int]:
        rest, ids = text.encode(), []
        while rest:
            length = next(n for n in range(self._longest, 0, -1) if rest[:n] in self._reachable)
            ids.append(self._reachable[rest[:length]])
            rest = rest[length:]
        return ids

    def lost_letters(self, text: str) -> str:
        return ""

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        return b"".join(self._tokens[token_id] for token_id in ids)

    def decode(self, ids: Sequence[int]) -> str:
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def chat_prompt(self, question: str, prefill: str = "") -> str | None:
        return f"<s><|user|>{question}<|assistant|>{prefill}" if self.has_chat_template else None


@dataclass
class FakeDecoding:
    """Rows of ids; logits come from the rule."""

    model: FakeModel
    rows: list[tuple[int, ...]]
    prompt_lengths: list[int]

    @property
    def logits(self) -> Tensor:
        told = [self.model.rule(row, length) for row, length in zip(self.rows, self.prompt_lengths, strict=True)]
        return torch.stack([torch.as_tensor(logits, dtype=torch.float32) for logits in told])

    def read(self, wanted: Wanted) -> Prediction:
        return predict(self.logits, wanted)

    def push(self, token_ids: Sequence[int]) -> None:
        self.model.pushes += 1
        self.rows = [(*row, new) for row, new in zip(self.rows, token_ids, strict=True)]
        context = self.model.info.context
        assert not context or all(len(row) <= context for row in self.rows), "pushed past the context"


@dataclass
class FakeModel:
    """A language model whose logits are a plain function of the ids so far."""

    fake_vocabulary: FakeVocabulary
    rule: Rule
    context: int = 0
    name: str = "fake"
    batches: list[int] = field(default_factory=list)
    """Rows of each batch started."""
    pushes: int = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            name=self.name, source="fake", architecture="fake", dtype="float32", device="cpu", context=self.context,
            vocab_size=self.fake_vocabulary.size, tokenizer_size=self.fake_vocabulary.tokenizer_size, d_model=1,
            abilities=("vocabulary", "next_tokens", "generation"),
        )  # fmt: skip

    @property
    def vocabulary(self) -> Vocabulary:
        return cast("Vocabulary", self.fake_vocabulary)

    @property
    def calls(self) -> int:
        return len(self.batches) + self.pushes

    def start(self, prompts: Sequence[Sequence[int]]) -> FakeDecoding:
        assert all(prompts), "an empty prompt reached the model"
        self.batches.append(len(prompts))
        return FakeDecoding(self, [tuple(prompt) for prompt in prompts], [len(prompt) for prompt in prompts])


def one_hot(size: int, token_id: int) -> list[float]:
    """Logits that all but force `token_id`."""
    return [20.0 if place == token_id else 0.0 for place in range(size)]


def says(vocabulary: FakeVocabulary, *ids: int) -> Rule:
    """A rule that says `ids` whatever it is asked, then ends."""

    def rule(row: tuple[int, ...], prompt_length: int) -> list[float]:
        position = len(row) - prompt_length
        return one_hot(vocabulary.size, ids[position] if position < len(ids) else EOS)

    return rule


def copies_slot(vocabulary: FakeVocabulary, place: int, *after: int, blind_to: frozenset[int] = frozenset()) -> Rule:
    """A rule that says the prompt's id at `place` (a token of `blind_to` as 'the'), then `after`, then ends."""

    def rule(row: tuple[int, ...], prompt_length: int) -> list[float]:
        subject = vocabulary.id_of(" the") if row[place] in blind_to else row[place]
        said = (subject, *after, EOS)
        return one_hot(vocabulary.size, said[min(len(row) - prompt_length, len(after) + 1)])

    return rule


def random_rule(vocabulary: FakeVocabulary, seed: int = 0) -> Rule:
    """Random but fixed logits for every sequence."""

    def rule(row: tuple[int, ...], prompt_length: int) -> Tensor:
        generator = torch.Generator().manual_seed(hash((seed, row)) % 2**63)
        return 3 * torch.randn(vocabulary.size, generator=generator)

    return rule


def cancel_at(call: int) -> Callable[[], bool]:
    """A flag that is false `call` times and true from then on."""
    looked = iter(range(10**9))
    return lambda: next(looked) >= call


def run_through(generator: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    """Every part of a generator, and what it returned."""
    parts = []
    while True:
        try:
            parts.append(next(generator))
        except StopIteration as stop:
            return parts, stop.value
