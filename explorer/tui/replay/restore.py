"""Putting a situation of a session on the screen: the same for a replay and for a session that is resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from explorer.base.records.models import LoadModel
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.unions import Step
from explorer.base.records.verification import Verify
from explorer.base.sources import portable_source
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.search import SessionIndex
from explorer.settings import Settings, known_server
from explorer.tui.panes.base import Showing
from explorer.tui.replay.situation import Situation, Situations
from explorer.tui.replay.subjects import subject_of
from explorer.tui.shell.messages import Selection
from explorer.tui.shell.stage import Stage
from explorer.tui.shell.tabs import tab_name_of
from explorer.tui.shell.workspace import pane_id

MOST_OVERHEARD = 256
"""The latest replies of a session that panes are told of which show them beside something else."""
_SLICE = 0.015
"""Seconds that work continues before keys are heard again."""


def show_situation(stage: Stage, situation: Situation) -> int | None:
    """Give every pane what it showed; the token that the table's cursor was put on.

    A pane whose last step is earlier than the situation has the token of that step: it shows what it showed then.
    """
    for pane in stage.workspace.panes:
        every = situation.showing.values()
        shown = [showing for showing in every if pane_id(tab_name_of(showing.steps[-1].request)) == pane.id]
        shown.sort(key=lambda showing: showing.steps[-1].number)
        pane.clear()
        is_right = pane.id not in ("tokens-pane", "detail-pane")
        pane.selection = _selection(situation.selection, shown[-1] if is_right and shown else None)
        for showing in shown:
            pane.restore(showing)
            for step in showing.steps:
                if pane.id != "detail-pane" or _is_about(step, situation.selection):
                    pane.show(step)
    for showing in situation.showing.values():
        if isinstance(showing.steps[-1].request, Verify):  # the map plots it too
            stage.workspace.overhear(showing.steps[-1])
    stage.workspace.look_at(situation.selection)
    token = situation.selection.token
    if token is not None:
        stage.workspace.token_pane.seek(token)
    return stage.workspace.token_pane.table.token_id


async def resume(stage: Stage, session: SessionFile) -> tuple[Situation, str]:
    """Show the screen as it was at the end of `session`; that, and the tab of its last answer."""
    index = SessionIndex(session)
    while not index.index_more(_SLICE):
        await asyncio.sleep(_SLICE / 3)
    situations = Situations(index)
    situations.take_in()
    last = len(session) - 1
    situation = situations.at(last)
    stage.marks.update({model: set(ids) for model, ids in situation.marks.items()})
    kinds = [index.fact(place).kind for place in range(len(index))]
    marked = [(model, token_id) for model, ids in situation.marks.items() for token_id in ids]
    stage.workspace.session_pane.begin_with(session, notes=kinds.count("WriteNote"), marked=marked, cursor=max(0, last))
    show_situation(stage, situation)
    for place in [place for place, kind in enumerate(kinds) if kind == RepeatBack.__name__][-MOST_OVERHEARD:]:
        stage.workspace.overhear(session[place])
    lasts = [showing.steps[-1] for showing in situation.showing.values()]
    latest = max(lasts, key=lambda step: step.number, default=None)
    return situation, stage.workspace.tab_of(latest.request) if latest is not None else "tokens"


def loads_again(requests: Sequence[LoadModel], settings: Settings) -> tuple[list[LoadModel], list[str]]:
    """The requests that load the models of a session again, and the sources that cannot be.

    A session file does not tell the folders of the machine it was made on ('…/name'): a source of the settings
    with that name stands for it. What the file says about pickles is not trusted; the settings' own word counts.
    """
    own = {portable_source(source): source for source in settings.models}
    tokenizers = {portable_source(settings.tokenizer): settings.tokenizer}
    loads, missing = [], []
    for request in requests:
        here = known_server(request, settings)
        if here is None:
            missing.append(request.source)
            continue
        request = here
        source = own.pop(request.source, request.source)
        tokenizer = tokenizers.get(request.tokenizer, request.tokenizer)
        unknown = [each for each in (source, tokenizer) if each.removeprefix("weights:").startswith("…/")]
        if unknown:
            missing += unknown
        else:
            allowed = settings.allow_pickle
            loads.append(msgspec.structs.replace(request, source=source, tokenizer=tokenizer, allow_pickle=allowed))
    return loads, missing


def _selection(now: Selection, showing: Showing | None) -> Selection:
    if showing is None:
        return now
    return replace(now, model=showing.selection.model, token=showing.selection.token)


def _is_about(step: Step, selection: Selection) -> bool:
    """Whether the details are those of the selected token: others would stand beside a cursor elsewhere."""
    subject = subject_of(step)
    return subject is None or (selection.token is not None and subject.token_id == selection.token.token_id)
