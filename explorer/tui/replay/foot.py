"""Below the panes of a replay: the notes on what is shown, and where in the session it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from explorer.base.records.notes import WriteNote
from explorer.base.records.record import Failure, Outcome
from explorer.base.records.unions import Cancelled, Step
from explorer.base.text import visible
from explorer.sessions.file.reader import is_damaged
from explorer.tui.panes.session.rows import asked_text, clock
from explorer.tui.shell.guarded import Guarded

_CUT = Content.assemble("… ", ("all in 5 Session", "$foreground-muted"))
_CAME: dict[type[Outcome], str] = {Cancelled: "cancelled", Failure: "failed"}
"""What is said of an outcome that is none."""


@dataclass(frozen=True)
class Place:
    """Where a replay stands."""

    position: int = -1
    steps: int = 0
    """In the file, as far as it has been read."""
    complete: bool = False
    """Whether that is all of them."""
    step: Step | None = None
    playing: bool = False
    speed: float = 1.0
    only: str = ""
    """The filter in words; empty: every step."""
    doing: str = ""
    """What is under way: 'searching …'."""


def place_line(place: Place, width: int) -> Content:
    """'▶ step 12/48 · 00:47:03 · repeat back … · speed 4x' in at most `width` cells; what was asked is cut first."""
    total = f"{place.steps:,}" + ("" if place.complete else "…")
    head = f" {'▶' if place.playing else '■'} step {place.position + 1:,}/{total}"
    speed = f"speed {place.speed:g}x" if place.playing or place.speed != 1 else ""
    tail = "".join(f" · {part}" for part in (place.only, speed, place.doing) if part)
    if place.step is None:
        return Content.assemble((head, "bold $accent"), (tail, "$foreground-muted")).truncate(width, ellipsis=True)
    at = f" · {clock(place.step.at)} · "
    ends = Content.assemble((tail, "$foreground-muted"), " ")
    begins = Content.assemble((head, "bold $accent"), (at, "$foreground-muted"))
    came = "" if is_damaged(place.step) else _CAME.get(type(place.step.outcome), "")
    ends = Content.assemble((f" · {came}" if came else "", "$warning"), ends)
    room = max(8, width - begins.cell_length - ends.cell_length)
    asked = Content(asked_text(place.step)).truncate(room, ellipsis=True)
    return Content.assemble(begins, asked, ends).truncate(width, ellipsis=True)


def note_line(notes: Sequence[WriteNote]) -> Content:
    """The notes, one after the other."""
    shown = []
    for note in notes:
        tags = "".join(f" #{visible(tag, spaces=False)}" for tag in note.tags)
        shown.append(Content.assemble(("N ", "bold $accent"), visible(note.text, spaces=False), (tags, "$accent")))
    return Content("  ").join(shown)


def notes_in(notes: Sequence[WriteNote], width: int, height: int) -> Content:
    """The notes in so many lines of `width` cells; where they are cut, that and where the rest is."""
    lines = note_line(notes).wrap(width)
    if len(lines) <= height:
        return Content("\n").join(lines)
    room = max(1, width - _CUT.cell_length)
    last = lines[height - 1].truncate(room)
    return Content("\n").join([*lines[: height - 1], Content.assemble(last, _CUT)])


class ReplayFoot(Guarded, Vertical):
    """A few lines for notes, always as many, so that the panes stand still; and one for the place."""

    DEFAULT_CSS = """
    ReplayFoot {
        height: 3; background: $panel;
        & > #replay-notes { height: 1fr; padding: 0 1; text-wrap: wrap; }
        & > #replay-place { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._place = Place()
        self._notes: Sequence[WriteNote] = ()

    def compose(self) -> ComposeResult:
        yield Static(Content(""), id="replay-notes")
        yield Static(Content(""), id="replay-place")

    def on_resize(self) -> None:
        self._draw()

    def show_place(self, place: Place) -> None:
        """Where the replay stands."""
        if place != self._place:
            self._place = place
            self._draw()

    def _draw(self) -> None:
        place = self._place
        self.query_one("#replay-place", Static).update(place_line(place, max(20, self.size.width)))
        room = max(20, self.size.width - 2), max(1, self.size.height - 1)
        self.query_one("#replay-notes", Static).update(notes_in(self._notes, *room))

    def show_notes(self, notes: Sequence[WriteNote]) -> None:
        """The notes on the step, or on the token that is selected."""
        self._notes = notes
        self._draw()
