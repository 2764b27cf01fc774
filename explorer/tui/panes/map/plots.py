"""What the plots of a map rest on: a column of it, and what other panes measured; brought into the view as it comes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import numpy as np

from explorer.base.records.unions import Step
from explorer.base.records.verification import VerificationResult
from explorer.tables.tested import TokenVerdicts
from explorer.tui.panes.base import Pane
from explorer.tui.panes.map import plot_words as words
from explorer.tui.panes.map.acts import act_on_line
from explorer.tui.panes.map.body import MapBody
from explorer.tui.panes.map.heard_verdicts import HeardVerdicts
from explorer.tui.panes.map.keeper import MapKeeper
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.plot_columns import numbers_of, plotted_names
from explorer.tui.panes.map.plot_files import takeaway_of_plots
from explorer.tui.panes.map.plots_sheet import Plotted
from explorer.tui.panes.map.threshold import Numbers, Parted, begin
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.shell.guarded import Work, run_guarded
from explorer.tui.shell.messages import Remark


class MapPlots:
    """Plots in the place of the map that `keeper` has; numbers are sorted in a thread, and the newest wish wins."""

    def __init__(self, pane: Pane, body: MapBody, keeper: MapKeeper) -> None:
        self._pane, self._body, self._keeper = pane, body, keeper
        self._view = body.plots
        self._verdicts = HeardVerdicts()

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
        return _warmed(begin(numbers, columns).knowing(*self._tested(made, numbers)))

    def _tested(self, made: Made, numbers: Numbers) -> tuple[dict[str, TokenVerdicts], frozenset[int]]:
        """By definition, and the tokens drawn at random: of the map's model, or of the one whose numbers they are."""
        twins = made.found.twins
        if not numbers.other or twins is None:
            return self._verdicts.of(made.found.model, made.columns.vocab_size)
        sizes = {info.name: info.vocab_size for info in self._pane.selection.roster.models}
        found, sample = self._verdicts.of(numbers.other, sizes.get(numbers.other, 0))
        return (
            {name: tested.of_twins(twins.numpy()) for name, tested in found.items()},
            frozenset(np.flatnonzero(np.isin(twins.numpy(), list(sample))).tolist()),
        )

    def _show(self, made: Made, parted: Parted) -> None:
        numbers = parted.numbers
        self._view.show(Plotted(parted, self._verdicts.recorded(numbers.other or made.found.model, numbers.indicator)))

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
        if made is not None and _changes_colours(step, made):
            self._pane.ask(made.request, record=False)

    async def _learn(self, made: Made) -> None:
        parted = self._view.parted
        if parted is not None and parted.numbers.columns is made.columns:
            tested = await asyncio.to_thread(self._tested, made, parted.numbers)
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


def _changes_colours(step: Step, made: Made) -> bool:
    """Whether a verification of the map's model is finished, and verdicts are its colour."""
    by_verdict = made.found.colour.partition(":")[0] == "verdict"
    return by_verdict and isinstance(step.outcome, VerificationResult) and step.outcome.model == made.found.model


def _warmed(parted: Parted) -> Parted:
    """With everything made that its pictures need: for a thread."""
    if parted.measured is not None:
        parted.measured.warm()
    return parted
