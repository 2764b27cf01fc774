"""What a sweep will ask of a server: told before the first request, refused where the settings allow less."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from explorer.base.errors import ExplorerError
from explorer.base.servers import Server
from explorer.engine.answers.verification.evidence_place import open_evidence
from explorer.engine.answers.verification.questions import Question, prompt_form
from explorer.engine.models.abilities import BehindServer


@dataclass(frozen=True)
class Cost:
    """At most so much: a cheaper question may settle what a dearer one need not be asked for."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    """At least, by what a short request took when the model was loaded."""

    def price(self, server: Server) -> float:
        """By the prices of the settings."""
        return (self.tokens_in * server.price_in + self.tokens_out * server.price_out) / 1e6

    def in_words(self, server: Server) -> str:
        """'at most 40 requests, 51,200 prompt and 384 reply tokens, 3 s or more, 0.1 at the prices of the settings'."""
        priced = f", {self.price(server):.3g} at the prices of the settings" * bool(server.price_in or server.price_out)
        tokens = f"{self.tokens_in:,} prompt and {self.tokens_out:,} reply tokens"
        return f"at most {self.requests:,} requests, {tokens}, {self.seconds:,.0f} s or more{priced}"


def cost_of(model: BehindServer, questions: Sequence[Question], token_ids: Int[np.ndarray, " n"], folder: Path) -> Cost:
    """What is left to ask of what the files lack."""
    requests = tokens_in = tokens_out = 0
    with ExitStack() as stack:
        for question in questions:
            file = stack.enter_context(open_evidence(model, question, folder, write=False))
            prompts = int((~file.has(token_ids)).sum()) * max(question.samples, 1)
            length = len(prompt_form(model.vocabulary, question).ids)
            requests += requests_of(model, question, prompts)
            tokens_in += prompts * length
            tokens_out += prompts * question.tokens
    seconds = requests * model.seconds_a_request / model.in_flight
    return Cost(requests, tokens_in, tokens_out, seconds)


def requests_of(model: BehindServer, question: Question, prompts: int) -> int:
    """How many requests so many prompts of a question take, at most."""
    return prompts * question.tokens if question.samples else model.count_requests(prompts, question.tokens)


def exceeded(cost: Cost, server: Server) -> list[str]:
    """What would be more than the settings allow, in words."""
    over = []
    if 0 < server.most_requests < cost.requests:
        over.append(f"{cost.requests:,} requests where most_requests is {server.most_requests:,}")
    if 0 < server.most_tokens < cost.tokens_in:
        over.append(f"{cost.tokens_in:,} prompt tokens where most_tokens is {server.most_tokens:,}")
    if 0 < server.most_cost < cost.price(server):
        over.append(f"{cost.price(server):.3g} where most_cost is {server.most_cost:g}")
    return over


def refuse_costly(cost: Cost, server: Server) -> None:
    """Raise `ExplorerError` where the settings allow less."""
    if over := exceeded(cost, server):
        raise ExplorerError(
            f"this would take {' and '.join(over)}",
            hint="Test fewer tokens (--top-percent, --where, --token-id), or raise the limit in [[servers]].",
        )
