"""How a token came to be and where it went, in words: the same on the screen, on the command line and in a report.

*Swallowed by*: the tokens of whose BPE merge this one is a part. *Contained in*: the tokens whose bytes contain this
one's, whatever merges made them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from explorer.base.records.inspect import MergeStep, TokenDetail
from explorer.base.records.tokens import TokenRef
from explorer.specs.blocks import token_text

MADE_FROM, SWALLOWED_BY, CONTAINED_IN = "made from", "swallowed by", "contained in"
REENCODES_TO, MERGE_PATH = "re-encodes to", "merge path"
FEW = 8
"""Tokens named where there is little room."""
SWALLOWED_RECORDED = 50
"""Swallowing tokens that an outcome holds at most."""

Name = Callable[[TokenRef], str]


def named(token: TokenRef) -> str:
    """A token with its id, safe to show."""
    return f"{token_text(token)} {token.token_id}"


def parents_text(detail: TokenDetail, name: Name = named) -> str:
    """The two tokens that a merge joined; empty where no merge made the token."""
    return " + ".join(map(name, detail.merge_parents))


def swallowed_text(detail: TokenDetail, most: int = FEW, name: Name = named) -> str:
    """How many tokens have this one in their merge, and the first of them; empty where there are none."""
    found = len(detail.swallowed_by)
    count = f"{found:,}" if found < SWALLOWED_RECORDED else f"{found:,} or more"
    return _counted(count, detail.swallowed_by[:most], found, name)


def contained_text(detail: TokenDetail, most: int = FEW, name: Name = named) -> str:
    """How many tokens have this one's bytes in theirs, and the shortest of them; empty where there are none."""
    count = f"{detail.contained_in_count:,}"
    return _counted(count, detail.contained_in[:most], detail.contained_in_count, name)


def reencoded_text(detail: TokenDetail, name: Name = named) -> str:
    """What the tokenizer makes of the token's text; empty where it makes nothing."""
    return " + ".join(map(name, detail.reencodes_to))


def path_text(detail: TokenDetail, name: Name = token_text) -> str:
    """Every merge that leads to the token, its own last; empty where there are none."""
    return "; ".join(_merge_text(step, name) for step in detail.merge_path)


def merge_facts(detail: TokenDetail, most: int) -> list[tuple[str, str]]:
    """What there is to say of the token's merges and bytes, as names and words; at most `most` tokens in a list."""
    facts = (
        (MADE_FROM, parents_text(detail)),
        (MERGE_PATH, path_text(detail)),
        (SWALLOWED_BY, swallowed_text(detail, most)),
        (CONTAINED_IN, contained_text(detail, most)),
        (REENCODES_TO, reencoded_text(detail)),
    )
    return [(name, words) for name, words in facts if words]


def _counted(count: str, tokens: Iterable[TokenRef], total: int, name: Name) -> str:
    shown = list(map(name, tokens))
    more = " …" if len(shown) < total else ""
    return f"{count}: {', '.join(shown)}{more}" if total else ""


def _merge_text(step: MergeStep, name: Name) -> str:
    return f"{name(step.left)} + {name(step.right)} → {name(step.whole)}"
