"""What a reply to "say this token" amounts to, by rules that know no token and no model by name.

The first row that holds decides:

| class    | holds when                                                                                       |
|----------|--------------------------------------------------------------------------------------------------|
| exact    | the reply is the token and nothing else (what that takes depends on the form, see `_is_exact`)   |
| contains | the token's id is in the reply, or its text stands there as a word of its own                    |
| spelled  | the token's letters stand in the reply one by one: `S-o-l-i-d`                                   |
| variant  | the reply equals the token once case, spaces and punctuation are dropped                         |
| empty    | the reply is nothing, or only white space and quotation marks                                    |
| loops    | the reply ends in one stretch of at most 8 tokens said at least 3 times                          |
| other    | anything else                                                                                    |

`contains` stands above `loops` because that the token was said is the greater news (that a reply was cut
for looping is in its `finish` anyway). Text counts only for a token that says something by itself: valid
UTF-8 with a letter, a digit or a symbol. For spaces, punctuation, quotation marks, control characters, lone
bytes and fragments, the ids decide, because their bytes stand in almost any reply.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from explorer.base.records.repeat_back import ReplyClass
from explorer.base.templates import SLOT, Template

LONGEST_PERIOD = 8
"""Longest stretch, in tokens, whose repetition is called a loop."""
LOOP_REPEATS = 3
"""How often it must have been said."""

_QUOTES = "'\"`´‘’‚‛“”„‟«»‹›「」『』"
_FINAL = ".!?…。！？,;:"
_WRAPPERS = re.compile(rf"[\s{_QUOTES}{re.escape(_FINAL)}]*")
_OPENERS = re.compile(rf"[\s{_QUOTES}]*")
_SEPARATOR = r"[\W_]{1,4}"
_FEWEST_LETTERS = 3
"""Two letters apart are too easily met by chance: `I'm` does not spell `Im`."""
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Subject:
    """The token that a reply is about."""

    token_id: int
    token_bytes: bytes
    is_special: bool = False
    """A control token such as `<s>`: writing its name in ordinary tokens is not saying it."""

    @cached_property
    def core(self) -> str:
        """What is left of the text without case, spaces and punctuation; empty: only the id can be recognised."""
        text = _text(self.token_bytes)
        return "" if self.is_special or _NOT_UTF8.search(text) else core(text)


def classify(reply_ids: Sequence[int], reply_bytes: bytes, subject: Subject, template: Template) -> ReplyClass:
    """The class of a reply to `template` filled with `subject`; the table above states the rules.

    `reply_ids` leaves out the end-of-text id; `reply_bytes` are the ids' bytes one after the other.
    """
    reply = _text(reply_bytes)
    if _is_exact(reply_ids, reply_bytes, subject, template):
        return "exact"
    if subject.token_id in reply_ids or _stands_alone(reply, subject):
        return "contains"
    if _is_spelled(reply, subject):
        return "spelled"
    if _is_variant(reply, subject):
        return "variant"
    if _OPENERS.fullmatch(reply):
        return "empty"
    if loop_period(reply_ids) is not None:
        return "loops"
    return "other"


def continues_repeats(template: Template) -> bool:
    """Whether the form is a bare row of the token to be carried on: it ends in two slots with nothing between."""
    return (template.question + template.prefill).endswith(SLOT * 2)


def is_closed(reply_ids: Sequence[int], reply_bytes: bytes, subject: Subject, closing: str) -> bool:
    """Whether `closing` stands in the reply, after something was said.

    A closing that is part of the token (or of what may still become the token) does not count, and neither does
    one at the very start: nothing has been said before it.
    """
    if not closing or not reply_ids:
        return False
    said_token = reply_ids[0] == subject.token_id
    in_token = subject.token_bytes.startswith(reply_bytes) or reply_bytes.startswith(subject.token_bytes)
    begin = len(subject.token_bytes) if said_token or in_token else 0
    return reply_bytes.find(closing.encode(), begin if said_token else max(begin, 1)) >= 0


def loop_period(
    reply_ids: Sequence[int], repeats: int = LOOP_REPEATS, longest: int = LONGEST_PERIOD, least: int = 0
) -> int | None:
    """The shortest period, in tokens and at most `longest`, that `reply_ids` ends with; None where it ends in none.

    The stretch must be said at least `repeats` times and the repetitions cover at least `least` tokens.
    """
    ids = tuple(reply_ids)
    for period in range(1, longest + 1):
        times = max(repeats, -(-least // period))
        if len(ids) >= period * times and ids[-period * times :] == ids[-period:] * times:
            return period
    return None


def core(text: str) -> str:
    """`text` without case, spaces, punctuation and control characters (NFKC, case-folded)."""
    return "".join(character for character in _fold(text) if unicodedata.category(character)[0] in "LNMS")


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _text(token_bytes: bytes) -> str:
    """The bytes as text, each byte that is not UTF-8 as a lone surrogate, equal to no character."""
    return token_bytes.decode("utf-8", "surrogateescape")


def _is_exact(reply_ids: Sequence[int], reply_bytes: bytes, subject: Subject, template: Template) -> bool:
    """The three forms of an exact reply.

    A row of the token carried on: every reply id is the token. An answer begun for the model and closed (as
    published): the first id is the token, and the closing or the end follows. Any other: the token once,
    with nothing beside it but white space, quotation marks and final punctuation.
    """
    if not reply_ids:
        return False
    if continues_repeats(template):
        return all(token_id == subject.token_id for token_id in reply_ids)
    if template.prefill and template.closing:
        rest = reply_bytes[len(subject.token_bytes) :]
        return reply_ids[0] == subject.token_id and (not rest or rest.startswith(template.closing.encode()))
    if subject.core:
        return _is_wrapped(_text(reply_bytes), _text(subject.token_bytes))
    return _is_wrapped_id(reply_ids, _text(reply_bytes), subject)


def _is_wrapped(reply: str, wanted: str) -> bool:
    start = reply.find(wanted)
    while start >= 0:
        if _OPENERS.fullmatch(reply[:start]) and _WRAPPERS.fullmatch(reply[start + len(wanted) :]):
            return True
        start = reply.find(wanted, start + 1)
    return False


def _is_wrapped_id(reply_ids: Sequence[int], reply: str, subject: Subject) -> bool:
    """The token's id once (or thrice: a quotation mark between two of itself), wrappers aside."""
    said = sum(token_id == subject.token_id for token_id in reply_ids)
    if said == len(reply_ids):
        return said == 1 or (said == 3 and _text(subject.token_bytes).strip() in tuple(_QUOTES))
    return said == 1 and bool(_WRAPPERS.fullmatch(reply.replace(_text(subject.token_bytes), "", 1)))


def _stands_alone(reply: str, subject: Subject) -> bool:
    """Whether the token's text is in the reply and not merely part of a longer word."""
    if not subject.core:
        return False
    wanted = _text(subject.token_bytes)
    before = r"(?<!\w)" if wanted[0].isalnum() else ""
    after = r"(?!\w)" if wanted[-1].isalnum() else ""
    return re.search(before + re.escape(wanted) + after, reply) is not None


def _is_variant(reply: str, subject: Subject) -> bool:
    if subject.core:
        return core(reply) == subject.core
    wanted = "".join(_text(subject.token_bytes).split())
    return bool(wanted) and "".join(reply.split()) == wanted


def _is_spelled(reply: str, subject: Subject) -> bool:
    letters = subject.core
    if len(letters) < _FEWEST_LETTERS:
        return False
    spelled = re.compile(r"(?<!\w)" + _SEPARATOR.join(map(re.escape, letters)) + r"(?!\w)")
    # A token such as `U.S.A.` is written with its letters apart: there, that is no spelling out.
    return spelled.search(_fold(reply)) is not None and spelled.search(_fold(_text(subject.token_bytes))) is None
