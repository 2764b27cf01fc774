"""Published lists of under-trained tokens, matched with the vocabulary of a loaded model."""

from __future__ import annotations

from explorer.base.records.record import Outcome, Record, Request

MOST_TOKENS = 2_000_000


class ListedToken(Record, kw_only=True):
    """A token that a list calls under-trained."""

    token_id: int
    spelling: str
    """How the list writes the token, see `MatchTokenList.spelled`."""
    indicator: float | None = None
    """The list's number, of whichever indicator it used."""
    max_prob: float | None = None
    """The greatest P(token) that its verification found."""


class MatchTokenList(Request, kw_only=True):
    """Match a published list with a model's vocabulary, and flag the tokens that it names as `published`.

    The whole list stands in the request, so that the engine may be on another machine and a session stays complete.
    """

    model: str
    name: str
    """Of the file."""
    of_model: str
    """The model that the list is about; empty where the file does not say."""
    spelled: str
    """`report`: as magikarp's reports write tokens, `text`: the token's text as it is."""
    tokens: tuple[ListedToken, ...]

    def problem(self) -> str:
        if self.spelled not in ("report", "text"):
            return f"{self.spelled!r} is no way to spell tokens"
        if len(self.tokens) > MOST_TOKENS:
            return "no vocabulary has that many tokens"
        return ""


class TokenListMatched(Outcome, kw_only=True):
    """How far a list is about this vocabulary."""

    model: str
    name: str
    of_model: str
    listed: int
    matched: int
    """Tokens whose id and text both agree."""
    used: bool
    """Whether the matched ones are flagged: only where at least half of the list agrees, because two tokenizers may
    have some ids in common by chance."""
