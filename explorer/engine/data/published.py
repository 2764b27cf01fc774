"""Which tokens published lists name, by model.

Sources: `undertrained_tokens.csv` from the reports of Land & Bartolo, "Fishing for Magikarp", arXiv
2405.05417; `hard_to_speak.csv` from the tables of the post "A mechanistic explanation for
SolidGoldMagikarp-like tokens in GPT2".
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from explorer.base.records.inspect import PublishedFact
from explorer.base.records.token_lists import ListedToken

FISHING = "Fishing for Magikarp (arXiv 2405.05417)"
MECHANISTIC = "A mechanistic explanation for SolidGoldMagikarp-like tokens in GPT2"


@lru_cache(maxsize=1)
def _facts() -> dict[tuple[str, int], tuple[PublishedFact, ...]]:
    facts: dict[tuple[str, int], list[PublishedFact]] = {}

    def add(row: Mapping[str, str], list_name: str, statement: str) -> None:
        fact = PublishedFact(model=row["model"], list_name=list_name, statement=statement)
        facts.setdefault((_short(row["model"]), int(row["token_id"])), []).append(fact)

    for row in _rows("undertrained_tokens.csv"):
        add(row, FISHING, f"under-trained: {row['indicator']} {row['indicator_value']}, P(token) ≤ {row['max_prob']}")
    for row in _rows("hard_to_speak.csv"):
        add(row, MECHANISTIC, f"hard to speak: its own direction gives token {row['own_direction_argmax']}")
    return {key: tuple(found) for key, found in facts.items()}


def _rows(name: str) -> list[dict[str, str]]:
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _short(source: str) -> str:
    """The model's own name: the last part of its hub id or directory, without `weights:` and revision."""
    return source.removeprefix("weights:").rstrip("/").rsplit("/", 1)[-1].split("@")[0].lower()


def published_facts(source: str, token_id: int) -> tuple[PublishedFact, ...]:
    """What published lists say of `token_id` in the model of this source."""
    return _facts().get((_short(source), token_id), ())


def published_ids(source: str) -> frozenset[int]:
    """Every id that a published list names for the model of this source."""
    return frozenset(token_id for model, token_id in _facts() if model == _short(source))


INDICATOR_NAMES = {"E_out cosine distance": "unused_cosine_distance", "E_in L2 norm": "input_norm"}
"""Their names of the indicators → ours."""


def listed_tokens(source: str) -> tuple[str, tuple[ListedToken, ...]]:
    """The tokens that "Fishing for Magikarp" lists for the model of this source, and our name of the indicator that it
    used; none where it lists none."""
    rows = [row for row in _rows("undertrained_tokens.csv") if _short(row["model"]) == _short(source)]
    tokens = tuple(
        ListedToken(
            token_id=int(row["token_id"]), spelling=row["token"], indicator=float(row["indicator_value"]),
            max_prob=float(row["max_prob"]),
        )
        for row in rows
    )  # fmt: skip
    return (INDICATOR_NAMES[rows[0]["indicator"]] if rows else ""), tokens


@dataclass(frozen=True)
class HardToken:
    """A row of `hard_to_speak.csv`."""

    token_id: int
    winner: int
    """Along the token's own direction."""
    best: tuple[tuple[bool, int], ...]
    """Whether with the bias, and who wins at the optimum of the post's linear program; where it was tested."""


def hard_tokens(source: str) -> tuple[HardToken, ...]:
    """The tokens that the post lists as hard to speak for the model of this source; none where it lists none."""
    return tuple(
        HardToken(
            int(row["token_id"]), int(row["own_direction_argmax"]),
            tuple((bias, int(row[column])) for bias, column in
                  ((False, "best_token_no_bias"), (True, "best_token_with_bias")) if row[column]),
        )
        for row in _rows("hard_to_speak.csv")
        if _short(row["model"]) == _short(source)
    )  # fmt: skip


def listed_models() -> tuple[str, ...]:
    """The models for which there is a list, by hub id."""
    return tuple(dict.fromkeys(row["model"] for row in _rows("undertrained_tokens.csv")))
