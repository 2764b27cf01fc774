"""A model's vocabulary: ids, exact bytes, categories, merges, and the way from text to ids and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from explorer.base.records.tokens import TokenRef
from explorer.base.text import decode
from explorer.engine.control import stop_if_cancelled
from explorer.engine.models.chat import ChatTemplate
from explorer.engine.models.checkpoints import tokenizer_files as files
from explorer.engine.models.checkpoints.limits import MOST_TOKENS, refuse_more
from explorer.engine.models.errors import ModelError
from explorer.engine.models.forensics import read_merge_parents
from explorer.engine.models.reachability import Reencoder
from explorer.engine.models.source import OWN_TOKENIZER, TokenizerChoice
from explorer.engine.models.text_encoder import TextEncoder
from explorer.engine.models.token_blob import TokenBlob
from explorer.engine.models.token_categories import CODE, categorise, known_unused, note_missing_rows

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

_TEXTS_TRIED = 1_000


def _read_pieces(tokenizer: Tokenizer, count: int, others: Mapping[int, str]) -> list[str | None]:
    """What each id below `count` is to the tokenizer, but for `others`. Raises `Stopped` once cancelled."""
    stop_if_cancelled()
    pieces = [tokenizer.id_to_token(token_id) for token_id in range(count)]
    for token_id, piece in others.items():
        pieces[token_id] = piece
    return pieces


class Vocabulary:
    """The tokens of one model, one for each row of its embedding matrix.

    Rows that the tokenizer has no token for have empty bytes and the category `padding`. A method given an
    id outside 0 … `size` - 1 raises `ModelError`.
    """

    source: str = ""
    """The folder or hub id of the tokenizer, where it is not the model's own."""
    marked_unused: frozenset[int] = frozenset()
    """Ids that the model's file says are not used."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        rows: int | None = None,
        eos_ids: Iterable[int] = (),
        day: str = "",
        pieces: Mapping[int, str] | None = None,
    ) -> None:
        """`rows`: rows of the embedding matrix; None: as many as the tokenizer has ids. `day`: see `ChatTemplate`.
        `pieces`: those that the tokenizer cannot hold, because another of its tokens has the same text.

        Tokens added to the tokenizer that the matrix has no row for are left out, with a note. Raises `ModelError`
        where others have none.
        """
        self.tokenizer = tokenizer
        """The transformers tokenizer that this was made from, for libraries that ask for one."""
        ids = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
        added = tokenizer.backend_tokenizer.get_added_tokens_decoder()
        self.tokenizer_size: int = max([*ids.values(), *added, *(pieces or ())], default=-1) + 1
        """One more than the tokenizer's greatest id."""
        self.size: int = self.tokenizer_size if rows is None else rows
        """Rows of the embedding matrix."""
        refuse_more(max(self.size, self.tokenizer_size), MOST_TOKENS, "the vocabulary has {} ids")
        stop_if_cancelled()
        self._encoder = TextEncoder(tokenizer.backend_tokenizer)  # which counts up to the greatest id
        backend, self._spelling = self._encoder.tokenizer, self._encoder.spelling
        self.notes: tuple[str, ...] = note_missing_rows(added, ids.values(), self.tokenizer_size, self.size)
        """What is missing, for the user."""
        self._pieces = _read_pieces(backend, max(self.size, self.tokenizer_size), pieces or {})
        special = [token_id for token_id, entry in added.items() if entry.special]
        self.special_ids: frozenset[int] = frozenset([*special, *tokenizer.all_special_ids])
        """Ids that are control tokens (`<s>`, `<|endoftext|>`)."""
        self.eos_ids: frozenset[int] = frozenset(token_id for token_id in eos_ids if 0 <= token_id < self.size)
        """Ids that end a reply."""
        self._chat = ChatTemplate(tokenizer, day) if tokenizer.chat_template else None
        stop_if_cancelled()
        all_tokens = self._spelling.all_bytes(self._pieces, added, self.special_ids)
        self._digest = TokenBlob(all_tokens[: self.tokenizer_size]).digest()
        self._tokens, self._pieces = all_tokens[: self.size], self._pieces[: self.size]
        self._blob = TokenBlob(self._tokens)

    @classmethod
    def from_directory(
        cls, directory: Path, rows: int | None = None, choice: TokenizerChoice = OWN_TOKENIZER
    ) -> Vocabulary:
        """The vocabulary in a Hugging Face directory, with the tokenizer of another one where `choice` names it; raises
        `ModelError` as `load_tokenizer` does."""
        place = choice.directory or directory
        tokenizer = files.load_tokenizer(place)
        pieces, eos_ids = files.lost_pieces(place, tokenizer), files.end_ids(directory, tokenizer)
        vocabulary = cls(tokenizer, rows, eos_ids, choice.day, pieces)
        vocabulary.source = choice.source
        vocabulary.notes += files.bos_notes(place, tokenizer, vocabulary.prefix_ids)
        return vocabulary

    # ── single tokens ─────────────────────────────────────────────────────────────────────────────────────

    def token_bytes(self, token_id: int) -> bytes:
        """The exact bytes of a token; a WordPiece continuation's without its `##`."""
        return self._tokens[self._checked(token_id)]

    def text(self, token_id: int) -> str:
        """The bytes as UTF-8, with U+FFFD for what is not."""
        return decode(self.token_bytes(token_id))

    def ref(self, token_id: int) -> TokenRef:
        """The token as a record."""
        token = self.token_bytes(token_id)
        return TokenRef(token_id=token_id, token_bytes=token.hex(), text=decode(token))

    def is_continuation(self, token_id: int) -> bool:
        """Whether the token can only stand inside a word (WordPiece's `##ing`)."""
        return self._spelling.is_continuation(self._pieces[self._checked(token_id)] or "")

    def find(self, token_bytes: bytes) -> int | None:
        """The token with exactly these bytes; of several, one of category `ok` that can begin a word, then
        the lowest id. None where there is none.
        """
        return self._by_bytes.get(token_bytes)

    def merge_parents(self, token_id: int) -> tuple[int, int] | None:
        """The two tokens that the first BPE merge leading to this one joins; None where it has no merge."""
        left, right = self._parents[self._checked(token_id)].tolist()
        return None if left < 0 else (left, right)

    def containing(self, token_id: int) -> list[int]:
        """The other tokens whose bytes contain this one's, shortest first, then by id."""
        return [other for other in self._blob.containing(self.token_bytes(token_id)) if other != token_id]

    def reencode(self, token_id: int) -> list[int]:
        """What the tokenizer makes of the token's text in the middle of a text; empty where the bytes are
        no UTF-8 or there are none."""
        token = self.token_bytes(token_id)
        try:
            return self._reencoder.encode(token_id, token.decode("utf-8")) if token else []
        except UnicodeDecodeError:
            return []

    # ── the whole vocabulary ──────────────────────────────────────────────────────────────────────────────

    def blob(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """All tokens' bytes one after the other, uint8 [total], and where each begins, int64 [size + 1]."""
        return self._blob.arrays

    @cached_property
    def categories(self) -> npt.NDArray[np.uint8]:
        """Index into `records.CATEGORIES` for each token, uint8 [size]. Computed at first use."""
        return categorise(self._pieces, self._tokens, self._spelling, self.special_ids, self._reencoder)

    def known_unused(self) -> list[tuple[int, str]]:
        """Tokens that no text can have trained, with the reason; by id."""
        return known_unused(self._pieces, self._tokens, self.marked_unused)

    def digest(self) -> str:
        """See `TokenBlob.digest`. The matrix does not count: one tokenizer has one digest under any number of rows."""
        return self._digest

    # ── text to ids and back ──────────────────────────────────────────────────────────────────────────────

    @cached_property
    def prefix_ids(self) -> tuple[int, ...]:
        """The special tokens the tokenizer puts before every text (BOS, [CLS]); often none."""
        texts = (text for token in self._tokens if (text := decode(token)))
        return self._encoder.find_prefix(["a", *islice(texts, _TEXTS_TRIED)])  # a DNA tokenizer cannot write "a"

    def encode(self, text: str, *, with_prefix: bool = True) -> list[int]:
        """The ids of a whole prompt: `prefix_ids` (left out for text that a chat template wrote, which
        carries its own), then the text as the tokenizer treats the beginning of a text. No trailing specials.
        """
        return [*(self.prefix_ids if with_prefix else ()), *self._encoder.encode(text)]

    def encode_segment(self, text: str) -> list[int]:
        """The ids of a text that stands in the middle of a prompt: no prefix ids, no dummy space."""
        return self._encoder.encode_segment(text)

    def lost_letters(self, text: str) -> str:
        """The different characters of `text`, white space left out, that the tokenizer drops without a trace."""
        return self._encoder.lost_letters(text, self.decode(self.encode_segment(text)))

    def decode_bytes(self, token_ids: Sequence[int]) -> bytes:
        """The exact bytes of the tokens, one after the other."""
        return b"".join([self.token_bytes(token_id) for token_id in token_ids])

    def decode(self, token_ids: Sequence[int]) -> str:
        """Their text, U+FFFD for what is not UTF-8. Keeps the space that SentencePiece puts before a prompt."""
        return decode(self.decode_bytes(token_ids))

    @property
    def has_chat_template(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return self._chat is not None

    @property
    def chat_day(self) -> str:
        """The date that the chat template may write, ISO 8601; empty where it asks for none."""
        return "" if self._chat is None else self._chat.day

    def chat_prompt(self, question: str, prefill: str = "") -> str | None:
        """The tokenizer's chat template around `question` as the user's turn, then `prefill`; None without
        one. Raises `ModelError` as `ChatTemplate.render` does."""
        return None if self._chat is None else self._chat.render(question) + prefill

    # ── kept for later ────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _parents(self) -> npt.NDArray[np.int32]:
        return read_merge_parents(self._encoder.tokenizer, self.size)

    @cached_property
    def _reencoder(self) -> Reencoder:
        return Reencoder(self._encoder.segments, self._spelling, self._pieces)

    @cached_property
    def _by_bytes(self) -> dict[bytes, int]:
        last = (self.categories != CODE["ok"]) * 2 + np.array([self.is_continuation(i) for i in range(self.size)])
        order = np.argsort(last, kind="stable")[::-1]
        return {self._tokens[token_id]: int(token_id) for token_id in order if self._tokens[token_id]}

    def _checked(self, token_id: int) -> int:
        if not 0 <= token_id < self.size:
            raise ModelError(
                f"token id {token_id} is out of range", hint=f"This model's ids go from 0 to {self.size - 1}."
            )
        return token_id
