"""The line at the top: which models there are, what runs, how much memory is left."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from explorer.base.pace import find_pace, format_duration, format_rate
from explorer.base.records.models import DeviceMemory, Roster
from explorer.base.records.record import Progress
from explorer.base.text import visible
from explorer.tui.shell.guarded import Guarded

ModelState = Literal["loaded", "loading", "failed"]
EngineState = Literal["starting", "ready", "stopped", "none"]
"""`none`: a session is replayed, nothing runs."""

MARKS: dict[ModelState, tuple[str, str]] = {
    "loaded": ("●", "$success"),
    "loading": ("◐", "$warning"),
    "failed": ("✗", "$error"),
}
_CELLS = 5
_GIB = 2**30


class Work(msgspec.Struct, frozen=True):
    """What the engine is doing."""

    text: str
    done: int
    total: int
    """0: not known."""
    rate: float = 0.0
    """Of those, done in a second; 0: not known."""
    seconds_left: float | None = None
    """None: not known."""


class BarState(msgspec.Struct, frozen=True):
    """Everything the bar shows."""

    models: tuple[tuple[str, ModelState], ...] = ()
    """Short name and state, loaded ones first."""
    selected: str = ""
    quantised: tuple[tuple[str, str], ...] = ()
    """Name and quantisation of the models whose weights are quantised."""
    memory: tuple[DeviceMemory, ...] = ()
    engine: EngineState = "starting"
    reason: str = ""
    """Why the engine stopped."""
    work: Work | None = None
    waiting: int = 0
    """Requests that wait for the one that runs."""


class _Detail(msgspec.Struct, frozen=True):
    """How much of each thing is said; the bar takes the first that fits its width."""

    title: bool = True
    name: int = 24
    """Cells of a model's name, at most."""
    memory: bool = True
    rate: bool = True
    work: int = 48
    """Cells of what runs, at most."""
    others: bool = True
    """Loaded models besides the selected one by name; else only how many they are."""
    quantisation: bool = False
    """How the selected model's weights are quantised."""


_DETAILS = (
    _Detail(quantisation=True),
    _Detail(title=False, quantisation=True),
    _Detail(),
    _Detail(title=False),
    _Detail(title=False, name=12),
    _Detail(title=False, name=16, work=32),
    _Detail(title=False, name=12, work=24),
    _Detail(title=False, name=10, work=16),
    _Detail(title=False, name=8, work=14, rate=False),
    _Detail(title=False, name=6, work=14, rate=False, memory=False),
    _Detail(title=False, name=8, work=14, rate=False, memory=False, others=False),
)


def bar(state: BarState, width: int) -> Content:
    """The bar in exactly `width` cells: models left, memory and work right, less of each as it gets narrower."""
    for detail in _DETAILS:
        left, right = _left(state, detail), _right(state, detail)
        gap = width - left.cell_length - right.cell_length
        if gap >= 1:
            return Content.assemble(left, " " * gap, right)
    # Not even the shortest form fits: what runs, or what is wrong, comes first.
    room = max(0, width - right.cell_length - 1)
    short = Content.assemble(left.truncate(room, ellipsis=True), " ", right).truncate(width, ellipsis=True)
    return Content.assemble(short, " " * (width - short.cell_length))


def _left(state: BarState, detail: _Detail) -> Content:
    parts = [Content.styled(" glitch-explore  ", "bold $accent")] if detail.title else [Content(" ")]
    hidden: dict[ModelState, int] = {}
    for name, model_state in state.models:
        if detail.others or model_state != "loaded" or name == state.selected:
            parts.append(_model(name, model_state, name == state.selected, detail.name))
            if detail.quantisation and name == state.selected:
                parts += [_quantised(text) for quantised, text in state.quantised if quantised == name]
        else:
            hidden[model_state] = hidden.get(model_state, 0) + 1
    parts += [Content.assemble(MARKS[what], f"+{count} ") for what, count in hidden.items()]
    if not state.models and state.engine == "ready":
        parts.append(Content.styled("no models: press m", "$foreground-muted"))
    return Content.assemble(*parts)


def _quantised(text: str) -> Content:
    """'Q8_0, Q4_1 ' of 'embeddings Q8_0, blocks Q4_1'."""
    kinds = visible(text, spaces=False).replace("embeddings ", "").replace("blocks ", "")
    return Content.styled(f"{kinds} ", "$foreground-muted")


def _model(name: str, state: ModelState, selected: bool, room: int) -> Content:
    text = Content(visible(name, spaces=False)).truncate(room, ellipsis=True).plain
    if selected:  # brackets as well as weight, so that it shows without colours
        return Content.assemble(MARKS[state], (f"[{text}] ", "bold $accent"))
    return Content.assemble(MARKS[state], (f" {text} ", "" if state == "loaded" else "$foreground-muted"))


def _right(state: BarState, detail: _Detail) -> Content:
    parts: list[Content] = []
    if state.engine == "ready" and detail.memory:
        parts += [Content.styled(memory_text(memory), "$foreground-muted") for memory in state.memory]
    if state.engine == "none":
        parts.append(Content.styled("replay, no model runs", "$foreground-muted"))
    elif state.engine == "starting":
        parts.append(Content.styled("engine starting…", "$warning"))
    elif state.engine == "stopped":
        reason = f" ({visible(state.reason, spaces=False)})" if state.reason and detail.rate else ""
        parts.append(Content.styled(f"✗ engine stopped{reason}: press ctrl+r", "bold $error"))
    elif state.work is not None:
        parts.append(Content.styled(work_text(state.work, room=detail.work, rate=detail.rate), "$accent"))
    if state.waiting:
        parts.append(Content.styled(f"+{state.waiting} waiting", "$warning"))
    return Content.assemble(Content("  ").join(parts), " ")


def memory_text(memory: DeviceMemory) -> str:
    """'cpu 0.4/23 GiB': taken by the engine, and all there is."""
    return f"{visible(memory.device)} {memory.used / _GIB:.1f}/{memory.total / _GIB:.0f} GiB"


def work_text(work: Work, *, room: int = 48, rate: bool = True) -> str:
    """'▮▮▮▯▯ verify 61% 312/s ETA 18 s'; of unknown length: '◐ load zoo:mynah 312'. `room`: cells for the words."""
    text = Content(visible(work.text, spaces=False)).truncate(room, ellipsis=True).plain
    if work.total <= 0:
        return f"◐ {text}" + (f" {work.done:,}" if work.done else "")
    share = min(1.0, work.done / work.total)
    full = int(share * _CELLS)
    said = f"{'▮' * full}{'▯' * (_CELLS - full)} {text} {share:>4.0%}"
    if rate and work.rate > 0:
        said += f" {format_rate(work.rate)}"
    if rate and work.seconds_left is not None:
        said += f" ETA {format_duration(work.seconds_left)}"
    return said


def short_name(source: str) -> str:
    """A source as the bar names it before it is loaded: 'zoo:mynah' is mynah, a path its last part."""
    return source.rstrip("/").rpartition("/")[2].rpartition(":")[2] or source


class ModelBar(Guarded, Widget):
    """One line, drawn only when told something new: nothing ticks while nothing happens."""

    DEFAULT_CSS = """
    ModelBar { height: 1; width: 1fr; background: $panel; color: $foreground; }
    """

    state: reactive[BarState] = reactive(BarState())

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._loaded: dict[str, str] = {}
        self._pending: dict[str, ModelState] = {}

    def render(self) -> Content:
        return bar(self.state, self.size.width)

    def set_roster(self, roster: Roster) -> None:
        """These models are loaded; what was loading and now is, is no longer."""
        self._loaded = {info.name: info.source for info in roster.models}
        quantised = tuple((info.name, info.quantisation) for info in roster.models if info.quantisation)
        for source in self._loaded.values():
            self._pending.pop(source, None)
        self._update_models()
        self.state = msgspec.structs.replace(self.state, memory=roster.devices, quantised=quantised)

    def set_selected(self, name: str) -> None:
        """The token table shows the vocabulary of this model."""
        self.state = msgspec.structs.replace(self.state, selected=name)

    def set_model_loading(self, source: str) -> None:
        """`source` is being loaded, until `set_roster` has it or `set_model_failed` says otherwise; what failed before
        has been seen."""
        self._pending = {other: what for other, what in self._pending.items() if what != "failed"}
        self._pending[source] = "loading"
        self._update_models()

    def set_model_failed(self, source: str) -> None:
        """`source` could not be loaded."""
        self._pending[source] = "failed"
        self._update_models()

    def set_model_idle(self, source: str) -> None:
        """`source` is neither loading nor failed (its loading was cancelled)."""
        self._pending.pop(source, None)
        self._update_models()

    def set_engine(self, state: EngineState, reason: str = "") -> None:
        """The engine is starting, ready, or stopped for `reason`; with a stopped engine nothing loads or runs."""
        if state == "stopped":
            self._pending = {source: what for source, what in self._pending.items() if what == "failed"}
            self.state = msgspec.structs.replace(self.state, work=None, waiting=0)
            self._update_models()
        self.state = msgspec.structs.replace(self.state, engine=state, reason=reason)

    def set_running(self, text: str, progress: Progress | None, started_at: float) -> None:
        """The engine is at `progress` (None: not known) of `text`; `started_at` on the monotonic clock."""
        if progress is None:
            work = Work(text, 0, 0)
        else:
            pace = find_pace(progress, max(0.0, time.monotonic() - started_at))
            work = Work(text, progress.done, progress.total, *pace)
        self.state = msgspec.structs.replace(self.state, work=work)

    def clear_running(self) -> None:
        """Nothing runs."""
        self.state = msgspec.structs.replace(self.state, work=None)

    def set_waiting(self, n: int) -> None:
        """`n` requests wait."""
        self.state = msgspec.structs.replace(self.state, waiting=n)

    def _update_models(self) -> None:
        models: list[tuple[str, ModelState]] = [(name, "loaded") for name in self._loaded]
        models += [(short_name(source), state) for source, state in self._pending.items()]
        self.state = msgspec.structs.replace(self.state, models=tuple(models))
