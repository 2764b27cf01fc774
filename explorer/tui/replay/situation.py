"""How the screen stood at any step of a session: what was selected, loaded and marked, and what the panes showed.

Worked out from the index and the few steps that matter, never by going through all of them: the step before
the last of a file of 100,000 is as near as the first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded, ModelUnloaded, Roster, UnloadModel
from explorer.base.records.tokens import TokenRow, bare_row, ref_of
from explorer.base.records.unions import Step
from explorer.sessions.search import SessionIndex
from explorer.specs.registry import REGISTRY, spec_of
from explorer.specs.spec import Spec, no_rows, no_subject
from explorer.tui.panes.base import Showing
from explorer.tui.replay.subjects import press_of, rows_in, subject_of
from explorer.tui.shell.messages import Selection

LOOK_BACK = 48
"""Steps of one kind looked at, from the position backwards, for one that says what is sought."""


@dataclass(frozen=True)
class Loaded:
    """A model that was loaded, and how."""

    info: ModelInfo
    request: LoadModel


@dataclass(frozen=True)
class Situation:
    """How the screen stood."""

    selection: Selection
    loaded: tuple[Loaded, ...]
    marks: dict[str, frozenset[int]]
    """Marked ids, by model."""
    showing: dict[str, Showing] = field(default_factory=dict)
    """By kind of request."""


class Situations:
    """Answers `at`; told of further steps by `take_in`."""

    def __init__(self, index: SessionIndex) -> None:
        self.index = index
        self._known = 0
        self._kinds: dict[str, list[int]] = defaultdict(list)
        self._by_token: dict[tuple[str, int], list[int]] = defaultdict(list)
        """Positions of steps about one token, by kind and token."""
        self._rosters: list[tuple[int, tuple[Loaded, ...]]] = []
        """Position from which on these models were loaded."""

    def __len__(self) -> int:
        return self._known

    def take_in(self) -> None:
        """Take in what the index has learned since."""
        for position in range(self._known, len(self.index)):
            fact = self.index.fact(position)
            self._known = position + 1
            self._kinds[fact.kind].append(position)
            if fact.token_id is not None:
                self._by_token[fact.kind, fact.token_id].append(position)
            if fact.kind in (LoadModel.__name__, UnloadModel.__name__):
                self._note_load(position)

    def latest(self, position: int, holds: Callable[[str], bool]) -> int | None:
        """The last step at or before `position` whose kind is such."""
        places = [
            found[place - 1]
            for kind, found in self._kinds.items()
            if holds(kind) and (place := bisect_right(found, position))
        ]
        return max(places, default=None)

    def first_shown(self) -> int | None:
        """The first step that a pane shows something of: a token table, an answer."""
        return min((found[0] for kind, found in self._kinds.items() if is_shown(kind)), default=None)

    def _note_load(self, position: int) -> None:
        step = self.index.session[position]
        before = self._rosters[-1][1] if self._rosters else ()
        match step.request, step.outcome:
            case LoadModel() as request, ModelLoaded(info=info):
                others = tuple(each for each in before if each.info.name != info.name)
                self._rosters.append((position, (*others, Loaded(info, request))))
            case _, ModelUnloaded(model=name):
                self._rosters.append((position, tuple(each for each in before if each.info.name != name)))
            case _:
                pass

    # ── the situation ─────────────────────────────────────────────────────────────────────────────────────

    def at(self, position: int) -> Situation:
        """How the screen stood when the step at `position` had come; −1: before the first."""
        loaded = self._loaded(position)
        marks = self.index.marked_before(position + 1)
        selection = self._selection(position, loaded, marks)
        model = selection.model
        showing = {}
        for kind in self._kinds:
            if (spec := REGISTRY.of_kind(kind)) is None or not is_shown(kind):
                continue
            of = model.name if model is not None and spec.holds_indicators else ""
            if (last := self._last(kind, position, of)) is not None:
                then = selection if last == position else self._selection(last, loaded, marks)
                names = tuple(each.info.name for each in self._loaded(last))
                showing[kind] = Showing(
                    self._shown(kind, last), then, press_of(self.index.session, self._kinds[kind], last), names
                )
        return Situation(selection, loaded, marks, showing)

    def _loaded(self, position: int) -> tuple[Loaded, ...]:
        place = bisect_right(self._rosters, position, key=lambda entry: entry[0])
        return self._rosters[place - 1][1] if place else ()

    def _last(self, kind: str, position: int, model: str = "") -> int | None:
        """The last step of a kind; where a model is named, the last one that speaks of it."""
        places = self._back(kind, position)
        return next((place for place in places if not model or model in self.index.fact(place).models), None)

    def _back(self, kind: str, position: int) -> Iterator[int]:
        """Positions of steps of a kind, from `position` backwards."""
        return _back_from(self._kinds.get(kind, ()), position)

    def _shown(self, kind: str, last: int) -> tuple[Step, ...]:
        """The step at `last`, and the earlier ones that stood beside it: other models asked about the same token, or
        other modes in which it was proved."""
        session = self.index.session
        step = session[last]
        beside = spec_of(step.request).stands_beside
        if beside is None:
            return (step,)
        token_id = self.index.fact(last).token_id
        ordered = self._kinds[kind] if token_id is None else self._by_token[kind, token_id]
        earlier = [session[place] for place in _back_from(ordered, last - 1)]
        kept = [each for each in earlier if beside(each.request, each.outcome, step.request)]
        return (*reversed(kept), step)

    def _selection(self, position: int, loaded: tuple[Loaded, ...], marks: dict[str, frozenset[int]]) -> Selection:
        roster = Roster(models=tuple(each.info for each in loaded), devices=())
        model = self._model(position, roster)
        token = self._token(position, model) if model is not None else None
        marked = marks.get(model.name, frozenset()) if model is not None else frozenset()
        return Selection(roster=roster, model=model, token=token, marked=marked)

    def _model(self, position: int, roster: Roster) -> ModelInfo | None:
        """The model whose vocabulary was in the table: the one last spoken of, else the first loaded."""
        if not roster.models:
            return None
        known = {info.name: info for info in roster.models}
        viewed = max((self._last_speaking(kind, position) for kind in self._kinds_where(_selects)), default=-1)
        names = self.index.fact(viewed).models if viewed >= 0 else ()
        model = next((known[name] for name in names if name in known), roster.models[0])
        shared = max((self._last_speaking(kind, position) for kind in self._kinds_where(_goes_to_several)), default=-1)
        if shared > viewed:
            names = self.index.fact(shared).models
            asked = next((known[name] for name in names if name in known), model)
            # Several models with one tokenizer are asked at once while one of them is selected.
            model = model if viewed >= 0 and asked.shares_ids(model) else asked
        return model

    def _kinds_where(self, holds: Callable[[Spec[Any, Any]], bool]) -> list[str]:
        """The kinds in this session whose spec is such."""
        specs = ((kind, REGISTRY.of_kind(kind)) for kind in self._kinds)
        return [kind for kind, spec in specs if spec is not None and holds(spec)]

    def _last_speaking(self, kind: str, position: int) -> int:
        """The last step of a kind that speaks of a model; −1 where there is none."""
        return next((at for at in self._back(kind, position) if self.index.fact(at).models), -1)

    def _token(self, position: int, model: ModelInfo) -> TokenRow | None:
        """The token that was selected: the one last spoken of, with all that the session says of it."""
        newest = sorted(
            (place for kind in self._kinds_where(_has_subject) for place in list(self._back(kind, position))[:4]),
            reverse=True,
        )
        for place in newest:
            row = subject_of(self.index.session[place])
            if row is not None and self._means_same(place, model):
                # The numbers of another model are not this one's.
                own = row if self._is_own(place, model) else bare_row(ref_of(row), row.category)
                return self._richest(own, position, model)
        return None

    def _means_same(self, place: int, model: ModelInfo) -> bool:
        """Whether ids mean the same to `model` and to the model that the step at `place` speaks of."""
        names = self.index.fact(place).models
        known = (each.info for _, loaded in self._rosters for each in loaded if each.info.name in names)
        return not names or model.name in names or any(info.shares_ids(model) for info in known)

    def _richest(self, row: TokenRow, position: int, model: ModelInfo) -> TokenRow | None:
        """`row`, or one that says more of the same token of `model`, from a table, details or replies of that time."""
        if row.indicators:
            return row
        own = [self._back(kind, position) for kind in self._kinds_where(_holds_indicators)]
        places = [at for back in own for at in islice((at for at in back if self._is_own(at, model)), 4)]
        for kind in self._kinds_where(_names_token):
            places += list(_back_from(self._by_token.get((kind, row.token_id), []), position))[:4]
        for place in places:
            for known in rows_in(self.index.session[place]):
                same_bytes = known.token_bytes == row.token_bytes
                if known.token_id == row.token_id and (
                    same_bytes or (not row.token_bytes and self._is_own(place, model))
                ):
                    return known
        return row if row.token_bytes else None

    def _is_own(self, place: int, model: ModelInfo) -> bool:
        return model.name in self.index.fact(place).models


def is_shown(kind: str) -> bool:
    """Whether a pane shows the outcomes of such requests."""
    spec = REGISTRY.of_kind(kind)
    return spec is not None and spec.tab is not None


def _selects(spec: Spec[Any, Any]) -> bool:
    return spec.selects_model


def _goes_to_several(spec: Spec[Any, Any]) -> bool:
    """Whether it is asked of several models at once, so that it does not tell which of them was selected."""
    return spec.press is not None and not spec.selects_model


def _has_subject(spec: Spec[Any, Any]) -> bool:
    return spec.subject is not no_subject


def _holds_indicators(spec: Spec[Any, Any]) -> bool:
    return spec.holds_indicators


def _names_token(spec: Spec[Any, Any]) -> bool:
    """Whether its outcomes tell the bytes of a token, and no indicators."""
    return spec.rows is not no_rows and not spec.holds_indicators


def _back_from(ordered: Sequence[int], position: int) -> Iterator[int]:
    """At most `LOOK_BACK` of the `ordered` positions, from the last that is not beyond `position` backwards."""
    end = bisect_right(ordered, position)
    return reversed(ordered[max(0, end - LOOK_BACK) : end])
