"""What the plots of a map rest on: a column of it, and what other panes measured; brought into the view as it comes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from explorer.base.records.unions import Cancelled, Step
from explorer.base.records.verification import ReadVerdicts, VerdictColumns, VerificationResult, Verify
from explorer.tables.tested import TokenVerdicts, learn
from explorer.tables.verdicts import VerdictMatrix
from explorer.tui.panes.base import Pane
from explorer.tui.panes.map import plot_words as words
from explorer.tui.panes.map.acts import act_on_line
from explorer.tui.panes.map.body import MapBody
from explorer.tui.panes.map.keeper import MapKeeper
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.plot_columns import numbers_of, plotted_names
from explorer.tui.panes.map.plot_files import takeaway_of_plots
from explorer.tui.panes.map.plots_sheet import Plotted
from explorer.tui.panes.map.recorded_curves import RecordedCurves
from explorer.tui.panes.map.threshold import Parted, begin
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.shell.guarded import Work, run_guarded
from explorer.tui.shell.messages import Remark


class Verdicts:
    """What sweeps found, by model: whole matrices of this run of the program, and the last recorded result."""

    def __init__(self) -> None:
        self._news: dict[str, list[VerdictMatrix]] = {}
        self._known: dict[str, dict[str, TokenVerdicts]] = {}
        self._results: dict[str, VerificationResult] = {}
        self._samples: dict[str, set[int]] = {}
        """Tokens that were drawn at random, by model."""

    def hear(self, step: Step) -> bool:
        """Take a step of a verification; whether it was one."""
        match step.request, step.outcome:
            case ReadVerdicts(of=request), VerdictColumns() as columns:
                if request.is_sample:
                    self._samples[columns.model] = set(columns.token_ids.numpy().tolist())
                self._news.setdefault(columns.model, []).append(VerdictMatrix(columns))
            case Verify(), VerificationResult() as result:
                self._results[result.model] = result
            case Verify(), Cancelled(partial=VerificationResult() as result):
                self._results[result.model] = result
            case _:
                return False
        return True

    def of(self, model: str, vocab_size: int) -> dict[str, TokenVerdicts]:
        """By definition, where it has a verdict on any token. Passes over a vocabulary: not on the event loop."""
        known = dict(self._known.get(model, {}))
        for matrix in self._news.pop(model, []):
            for place, definition in enumerate(matrix.definitions):
                known[definition.name] = learn(known.get(definition.name), matrix, place, vocab_size)
        self._known[model] = known
        return {name: found for name, found in known.items() if found.is_decided.any()}

    def sample(self, model: str) -> frozenset[int]:
        """The tokens that were drawn at random last."""
        return frozenset(self._samples.get(model, ()))

    def recorded(self, model: str, indicator: str, *, or_any: bool = False) -> RecordedCurves | None:
        """The last result, with curves of the indicator; `or_any`: or of another where it has none of that."""
        result = self._results.get(model)
        if result is None:
            return None
        known = [curve.indicator for curve in result.curves]
        return RecordedCurves.of(result, known[0] if or_any and known and indicator not in known else indicator)

    def forget(self, model: str) -> None:
        """Another model has taken the name."""
        for known in (self._news, self._known, self._results, self._samples):
            known.pop(model, None)

    def clear(self) -> None:
        """Nothing was measured."""
        for known in (self._news, self._known, self._results, self._samples):
            known.clear()


class MapPlots:
    """Plots in the place of the map that `keeper` has; numbers are sorted in a thread, and the newest wish wins."""

    def __init__(self, pane: Pane, body: MapBody, keeper: MapKeeper) -> None:
        self._pane, self._body, self._keeper = pane, body, keeper
        self._view = body.plots
        self._verdicts = Verdicts()

    def open(self) -> None:
        """Plot the map's colour; of a recorded map what a session holds."""
        made = self._keeper.made
        if self._body.canvas.scene is None:
            return
        if made is None:
            self._show_recorded()
        elif names := plotted_names(made):
            self._run(partial(self._begin, made, names[0]))
        else:
            self._pane.post_message(Remark("This map has no numbers to plot: choose an indicator as its colour."))
            return
        self._body.show_plots(shown=True)

    def _show_recorded(self) -> None:
        scene = self._body.canvas.scene
        if scene is not None:
            self._view.show(Plotted(recorded=self._verdicts.recorded(scene.model, scene.colour, or_any=True)))

    def follow_replay(self) -> None:
        """Another step of a session is shown: open plots stay open, and show what that step has."""
        if self._view.display and self._keeper.made is None:
            self._show_recorded()

    def act(self, what: str) -> None:
        """Obey a key of the view."""
        made, parted = self._keeper.made, self._view.parted
        if what == "back":
            self._body.show_plots(shown=False)
        elif made is not None and parted is not None and what == "column":
            names = plotted_names(made)
            place = names.index(parted.numbers.name) if parted.numbers.name in names else -1
            self._run(partial(self._begin, made, names[(place + 1) % len(names)]))
        elif made is not None and parted is not None:
            for message in act_on_line(what, made, parted, self._pane.selection):
                self._pane.post_message(message)

    async def _begin(self, made: Made, name: str) -> None:
        columns, before = max(1, self._view.size.width), self._view.parted
        parted = await asyncio.to_thread(self._parted, made, name, columns)
        scene = self._body.canvas.scene
        parted = replace(parted, points=() if scene is None else scene.points)
        self._show(made, parted if before is None else parted.like(before))

    def _parted(self, made: Made, name: str, columns: int) -> Parted:
        numbers = numbers_of(made, name)
        _ = numbers.categories
        return _warmed(begin(numbers, columns).knowing(*self._tested(made)))

    def _tested(self, made: Made) -> tuple[dict[str, TokenVerdicts], frozenset[int]]:
        model = made.found.model
        return self._verdicts.of(model, made.columns.vocab_size), self._verdicts.sample(model)

    def _show(self, made: Made, parted: Parted) -> None:
        self._view.show(Plotted(parted, self._verdicts.recorded(made.found.model, parted.numbers.name)))

    def _run(self, work: Work) -> None:
        run_guarded(self._view, work, group="plots", exclusive=True)

    def hear(self, step: Step) -> None:
        """A step of another pane: a verification changes what is plotted of the map that is shown."""
        made = self._keeper.made
        if not self._verdicts.hear(step):
            return
        if made is not None and self._view.parted is not None:
            self._run(partial(self._learn, made))
        self.follow_replay()

    async def _learn(self, made: Made) -> None:
        tested = await asyncio.to_thread(self._tested, made)
        parted = self._view.parted
        if parted is not None and parted.numbers.columns is made.columns:
            known = await asyncio.to_thread(lambda: _warmed(parted.knowing(*tested)))
            if (shown := self._view.parted) is not None:  # the line may have been moved meanwhile
                self._show(made, replace(known, line=shown.line, points=shown.points))

    def name_anew(self) -> None:
        """Other tokens are selected or marked."""
        scene, parted = self._body.canvas.scene, self._view.parted
        if parted is not None and scene is not None:
            self._view.show(replace(self._view.plotted, parted=replace(parted, points=scene.points)))

    def takeaway(self) -> Takeaway | None:
        """The plot that is shown; None where the map is."""
        view, made = self._view, self._keeper.made
        if not view.display or made is None:
            return None
        return takeaway_of_plots(view.plotted, made.found.model, view.plotted.shown(*view.room))

    def forget(self, model: str) -> None:
        """Another model has taken the name."""
        self._verdicts.forget(model)

    def clear(self) -> None:
        """Nothing is known."""
        self._verdicts.clear()
        self._view.show(Plotted(missing=words.NO_MAP))


def _warmed(parted: Parted) -> Parted:
    """With everything made that its pictures need: for a thread."""
    if parted.measured is not None:
        parted.measured.warm()
    return parted
