"""Numbers that stand below one another: decimal points and ranks aligned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from explorer.base.numbers import AT_MOST, format_logprob, format_prob_percent
from explorer.base.records.repeat_back import Reply
from explorer.base.records.tokens import Bound

Given = tuple[float | None, int | None, int | None, Bound]
"""(logprob, rank, position, bound) that a model gave a token."""


def align_points(numbers: Sequence[str]) -> list[str]:
    """`numbers` padded to one width with their decimal points below one another."""
    split = [number.partition(".") for number in numbers]
    before = max((len(whole) for whole, _, _ in split), default=0)
    after = max((len(point + rest) for _, point, rest in split), default=0)
    return [f"{whole:>{before}}{point + rest:<{after}}" for whole, point, rest in split]


def logprob_texts(logprobs: Sequence[float], *, with_prob: bool, aligned: bool = True) -> list[str]:
    """Log-probabilities (nats) as equally wide texts, `-1.410 / 24.43%` with the probability.

    `aligned`: with decimal points below one another; False: only the slashes, in as few cells as that takes.
    """
    texts = [format_logprob(logprob) for logprob in logprobs]
    probs = [format_prob_percent(logprob) for logprob in logprobs]
    texts = align_points(texts) if aligned else [text.rjust(max(map(len, texts))) for text in texts]
    if not with_prob:
        return texts
    probs = align_points(probs) if aligned else [prob.ljust(max(map(len, probs))) for prob in probs]
    return [f"{text} / {prob}" for text, prob in zip(texts, probs, strict=True)]


@dataclass(frozen=True)
class GivenColumn:
    """What a model gave the tokens it was asked about, as a column of equally wide texts."""

    texts: dict[Given, str]
    heading: str
    """As wide as the texts."""
    cells: int
    """At least as wide as most numbers are, so that the column does not grow when the first comes."""

    @classmethod
    def of(cls, replies: Iterable[Reply], *, wide: bool) -> GivenColumn:
        """The column for `replies`; `wide`: with probability, rank and position."""
        given = list(dict.fromkeys(_given(reply) for reply in replies if reply.token_logprob is not None))
        texts = logprob_texts([logprob for logprob, *_ in given if logprob is not None], with_prob=wide)
        if any(bound == "at_most" for *_, bound in given):
            signs = [AT_MOST if bound == "at_most" else "" for *_, bound in given]
            texts = [f"{sign:<{len(AT_MOST)}}{text}" for sign, text in zip(signs, texts, strict=True)]
        if wide:
            places = max((len(_rank(rank)) for _, rank, *_ in given), default=0)
            texts = [
                f"{text}  rank {_rank(rank):>{places}}  at {_rank(position)}"
                for text, (_, rank, position, _) in zip(texts, given, strict=True)
            ]
        cells = max([38 if wide else 8, *map(len, texts)])
        heading = "logprob / prob of the token" if wide else "logprob"
        return cls(dict(zip(given, texts, strict=True)), heading.ljust(cells), cells)

    def text(self, reply: Reply | None) -> str:
        """The reply's numbers, empty where there are none yet."""
        return "" if reply is None else self.texts.get(_given(reply), "")


def _given(reply: Reply) -> Given:
    return reply.token_logprob, reply.token_rank, reply.token_position, reply.token_bound


def _rank(rank: int | None) -> str:
    return "–" if rank is None else f"{rank:,}"
