"""Which map is shown: a whole one, or a recorded view; and what the session has of it."""

from __future__ import annotations

import asyncio

from explorer.base.records.maps import MapPoints, MapView, PlacePoints, ReadMap, ViewMap, VocabularyMap
from explorer.base.records.record import Failure, Outcome
from explorer.specs.blocks import prose
from explorer.specs.map_words import placing_words
from explorer.tables.table import TokenColumns
from explorer.tui.panes.base import failure_text
from explorer.tui.panes.map.around import NEIGHBOURS, Surroundings, next_twin
from explorer.tui.panes.map.body import MapBody
from explorer.tui.panes.map.making import Made, make_scene, recorded_scene
from explorer.tui.shell.messages import Remark, Selection


class MapKeeper:
    """Brings what comes into `body`."""

    def __init__(self, body: MapBody) -> None:
        self._body = body
        self._selection = Selection()
        self._twin_in, self._is_twin_new = "", False
        self._around = Surroundings(body, self._points_wanted)
        body.when_shown, body.when_twin_wanted = self._around.ask, self._show_next_twin
        self.made: Made | None = None
        self.shown: tuple[ViewMap, MapView] | None = None
        """What the session has, or would have."""
        self.walked: set[int] = set()

    async def take(self, request: ReadMap, found: VocabularyMap, selection: Selection) -> None:
        """Show a whole map; of the plane that is shown, through the same window."""
        columns, canvas = selection.columns, self._body.canvas
        self._selection = selection
        if columns is None or columns.model != found.model:
            return  # the user went on to another model meanwhile
        old = self.made.found if self.made is not None else None
        same = old is not None and (old.model, old.digest) == (found.model, found.digest)
        made = await asyncio.to_thread(Made, request, found, columns)
        if same and self.made is not None:
            made.keep_points(self.made)
        else:
            self._around.forget()
        scene = await asyncio.to_thread(make_scene, made, selection)
        self.made = made
        self.walked.clear()
        canvas.show(scene.through(canvas.scene.window) if same and canvas.scene is not None else scene, anew=not same)
        if not same:
            self.go_to_subject(selection)
        self._around.ask()

    def take_points(self, request: PlacePoints, outcome: Outcome, selection: Selection) -> None:
        """What is put on the map for its subject; what was asked for another subject or map is not."""
        is_wanted = self._around.take(request)
        if isinstance(outcome, Failure):
            self._body.say(failure_text(outcome), problem=True)
        elif is_wanted and isinstance(outcome, MapPoints) and self.made is not None:
            self.made.take_points(request, outcome)
            self.name_anew(selection)
            self._say_twin(outcome)

    def _say_twin(self, found: MapPoints) -> None:
        """How it was placed, once after the key."""
        twin = next((vector for vector in found.vectors if vector.role == "twin"), None)
        if twin is not None and self._is_twin_new:
            self._body.post_message(Remark(f"Token of {prose(twin.label)} on this map: {placing_words(twin)}."))
            self._is_twin_new = False

    def _points_wanted(self) -> PlacePoints | None:
        made = self.made
        if made is None:
            return None
        subject = made.subject_of(self._selection)
        return made.request.of_same_map(
            PlacePoints, token_id=subject, colour="", neighbours=NEIGHBOURS, centroid=True, twin_in=self._twin_in
        )

    def _show_next_twin(self) -> None:
        """The selected token in the next other model; after the last in none."""
        before, self._twin_in = self._twin_in, next_twin(self._selection, self._twin_in)
        self._is_twin_new = True
        if not before and not self._twin_in:
            self._body.post_message(Remark("Load another model to see where its token with these bytes would be."))
        self._around.ask()

    def show_recorded(self, request: ViewMap, found: MapView) -> None:
        """Show a view of a session; the one that was just recorded here is shown already."""
        if self.shown is None or self.shown[1] is not found:
            self.made, self.shown = None, (request, found)
            self._body.canvas.show(recorded_scene(found), anew=True)

    def follow(self, old: Selection, new: Selection) -> None:
        """Named tokens follow the selection; another vocabulary has no map yet."""
        self._selection = new
        self.leave_all_but(new.columns)
        if self._twin_in not in new.others_with_weights:
            self._twin_in = ""
        if (new.token, new.marked) != (old.token, old.marked):
            self.name_anew(new)
            self._around.ask()
            if new.token != old.token and not self._body.canvas.has_focus:  # with the keys there, the cross chose it
                self.go_to_subject(new)

    def name_anew(self, selection: Selection) -> None:
        """Name the tokens that are selected and marked now."""
        scene = self._body.canvas.scene
        if self.made is not None and scene is not None:
            self._body.canvas.show(make_scene(self.made, selection).through(scene.window))

    def go_to_subject(self, selection: Selection) -> None:
        """Put the cross on the selected token."""
        if selection.token is not None and self.made is not None:
            place = self.made.place(selection.token.token_id)
            if place is not None:
                self._body.canvas.go_to(*place)

    async def news(self, selection: Selection) -> tuple[ViewMap, MapView] | None:
        """The view that is on the screen, where the session does not have it. Packed in a thread: 40 ms and more."""
        request, made = self._request(selection), self.made
        if made is None or request is None or (self.shown is not None and self.shown[0] == request):
            return None
        found = await asyncio.to_thread(made.view, request)
        if self.made is not made:
            return None  # another map is here by now
        self.shown = request, found
        return self.shown

    def view(self, selection: Selection) -> MapView | None:
        """The view that is on the screen, recorded or not."""
        request = self._request(selection)
        if self.made is not None and request is not None:
            return self.made.view(request)
        return None if self.shown is None else self.shown[1]

    def _request(self, selection: Selection) -> ViewMap | None:
        scene = self._body.canvas.scene
        return None if self.made is None or scene is None else self.made.view_request(selection, scene.window)

    def forget(self, name: str) -> None:
        """A model of that name is no more."""
        if self.made is not None and self.made.found.model == name:
            self._leave()

    def leave_all_but(self, columns: TokenColumns | None) -> None:
        """Another vocabulary is in the token table: it has no map yet."""
        if columns is not None and self.made is not None and self.made.columns is not columns:
            self._leave()

    def _leave(self) -> None:
        self.clear()
        self._body.leave_plots()

    def clear(self) -> None:
        """Show nothing."""
        self.made = self.shown = None
        self.walked.clear()
        self._around.forget()
        self._body.clear()
