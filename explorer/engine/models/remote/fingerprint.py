"""What tells one served model from another: what the server says of it, and its answers to a few prompts.

Answers of the same model differ a little from call to call on a GPU, so they are compared and not only hashed: those
that were found before are kept on disk under what the server says, and within a tolerance they are the same model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from explorer.engine.kept import recall, remember
from explorer.engine.models.remote.backend import About, Backend

NAMED = 5
"""Likeliest ids that are compared after each prompt."""
WITHIN = 0.05
"""Nats by which the same model's log-probabilities may differ: bfloat16 on a GPU gives 1e-2."""
_KEPT = "servers"


class Answers(msgspec.Struct, frozen=True):
    """What came after each of the prompts: ids with their log-probabilities."""

    named: tuple[tuple[tuple[int, float], ...], ...]


class _Known(msgspec.Struct):
    by_digest: dict[str, Answers] = {}


@dataclass(frozen=True)
class Fingerprint:
    """A served model, as it was found when it was loaded."""

    kind: str
    about: About
    tokenizer_digest: str
    prompts: tuple[tuple[int, ...], ...]
    answers: Answers
    seconds: float = 0.0
    """How long these answers took, one after the other."""

    @property
    def digest(self) -> str:
        """32 hexadecimal digits: the same for the same model, also where its numbers differ in their last digits."""
        said = repr((self.kind, self.about, self.tokenizer_digest, self.prompts))
        key = hashlib.sha256(said.encode()).hexdigest()[:32]
        known = recall(_KEPT, key, _Known) or _Known()
        for digest, before in known.by_digest.items():
            if not _apart(before, self.answers):
                return digest
        digest = hashlib.sha256(f"{said}{self.answers}".encode()).hexdigest()[:32]
        remember(_KEPT, key, _Known({**known.by_digest, digest: self.answers}))
        return digest

    async def again(self, backend: Backend) -> tuple[About, Answers]:
        """What the server says and answers now."""
        return await backend.about(), await answers_to(backend, self.prompts)

    def difference(self, now: tuple[About, Answers]) -> str:
        """What changed, in words; empty where it is the same model."""
        about, answers = now
        if about != self.about:
            return (
                f"it serves {about.model} of version {about.version}"
                if about.model != self.about.model
                else ("its version, size or context changed")
            )
        return _apart(self.answers, answers)


async def answers_to(backend: Backend, prompts: Sequence[Sequence[int]]) -> Answers:
    """The likeliest ids after each prompt."""
    found = [await backend.likeliest(prompt, min(NAMED, backend.top)) for prompt in prompts]
    told = [tuple(zip(each.ids.tolist(), each.logprobs.tolist(), strict=True)) for each in found]
    return Answers(tuple(each or ((one.chosen, 0.0),) for each, one in zip(told, found, strict=True)))


def _apart(one: Answers, other: Answers) -> str:
    """Where two models' answers differ, in words; empty where they may be the same."""
    for before, now in zip(one.named, other.named, strict=True):
        shared = dict(before).keys() & dict(now).keys()
        if len(shared) < (min(len(before), len(now)) + 1) // 2:
            return "it names other likeliest tokens"
        worst = max((abs(dict(before)[each] - dict(now)[each]) for each in shared), default=0.0)
        if worst > WITHIN:
            return f"its log-probabilities differ by {worst:.2g}"
    return ""
