"""What a report says: of the whole session, and of each step, as blocks."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.base.records.models import ModelInfo, ModelLoaded
from explorer.base.records.notes import WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.unions import Cancelled, Step
from explorer.sessions.file.reader import SessionFile
from explorer.specs.blocks import Block, Words, prose
from explorer.specs.notes import note_subject
from explorer.specs.registry import describe, spec_of, summarise

FIRST_WORDS = 90
"""Characters of a note that stand in the list of contents."""


@dataclass(frozen=True)
class Section:
    """One step of the report."""

    number: int
    at: str
    title: str
    summary: str
    kind: str
    """`note`, `trouble` (failed, cancelled) or `answer`."""
    blocks: tuple[Block, ...]
    tags: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The section in the list of contents: a note with its first words."""
        if self.kind != "note":
            return self.title
        first = next((block.text for block in self.blocks if isinstance(block, Words)), "")
        return f"{self.title}: {first if len(first) <= FIRST_WORDS else first[: FIRST_WORDS - 1] + '…'}"


def section_of(step: Step) -> Section:
    """What the report says of one step."""
    request, outcome = step.request, step.outcome
    place, at, title = step.number, prose(step.at), describe(request)
    if isinstance(outcome, Failure | Cancelled):
        return Section(place, at, title, "", "trouble", _trouble_blocks(step, outcome))
    if isinstance(request, WriteNote):
        lines = tuple(Words(prose(line)) for line in request.text.splitlines() if line.strip())
        return Section(place, at, f"note{note_subject(request)}", "", "note", lines, tuple(map(prose, request.tags)))
    blocks = tuple(spec_of(request).blocks(request, outcome))
    return Section(place, at, title, summarise(outcome), "answer", blocks)


def _trouble_blocks(step: Step, outcome: Failure | Cancelled) -> tuple[Block, ...]:
    """What went wrong and what to do, or what had been found when it was cancelled."""
    said = Words(summarise(outcome), warns=True)
    if isinstance(outcome, Failure):
        return (said, Words(prose(outcome.hint))) if outcome.hint else (said,)
    if outcome.partial is None:
        return (said,)
    return said, *spec_of(step.request).blocks(step.request, outcome.partial)


# ── the session as a whole ────────────────────────────────────────────────────────────────────────────────


def title_of(session: SessionFile) -> str:
    """The session's title, or its file's name."""
    return prose(session.header.title or session.path.stem)


def header_facts(session: SessionFile) -> list[tuple[str, str]]:
    """What the header says, as names and values."""
    header = session.header
    versions = ", ".join(f"{name} {version}" for name, version in header.versions.items())
    facts = [("started", header.started), ("steps", f"{len(session):,}"), ("seed", str(header.seed)),
             ("platform", header.platform), ("versions", versions), ("continues", header.parent)]  # fmt: skip
    return [(name, prose(value)) for name, value in facts if value]


def models_of_session(session: SessionFile) -> list[ModelInfo]:
    """Each model that was loaded, once."""
    found = (step.outcome.info for step in session if isinstance(step.outcome, ModelLoaded))
    return list({(info.name, info.weights_digest, info.dtype): info for info in found}.values())
