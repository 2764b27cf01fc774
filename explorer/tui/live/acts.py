"""What each command of the explorer does: one line for each row of `commands.COMMANDS` that a replay has not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from explorer.tui.live.marked import export_marked
from explorer.tui.shell.dispatcher import Act, ask_acts
from explorer.tui.shell.guarded import run_guarded

if TYPE_CHECKING:
    from explorer.tui.live.app import ExplorerApp


def acts_of(app: ExplorerApp) -> dict[str, Act]:
    """The acts by the command's name."""
    asking, dialogues, models = app.asking, app.dialogues, app.models
    return {
        **ask_acts(app.workspace.tabs, asking.run_pane),
        "filter": asking.open_filter,
        "sort_next": partial(asking.sort_next, 1),
        "sort_previous": partial(asking.sort_next, -1),
        "sort_reverse": asking.reverse,
        "jump": asking.open_jump,
        "mark": asking.mark,
        "next_token": partial(asking.move, 1),
        "previous_token": partial(asking.move, -1),
        "back": partial(app.jumps.step, -1),
        "forward": partial(app.jumps.step, 1),
        "inspect": asking.inspect,
        "prove_all": asking.prove_all,
        "export_marked": partial(export_marked, app),
        "pause": asking.pause,
        "cancel": asking.cancel,
        "models": dialogues.open_models,
        "next_model": partial(models.choose_next, 1),
        "previous_model": partial(models.choose_next, -1),
        "restart_engine": lambda: void(run_guarded(app, models.restart_engine)),
        "reference": dialogues.open_reference,
        "save_as": dialogues.open_save_as,
        "sessions": dialogues.open_sessions,
        "note": dialogues.open_note,
        "log": dialogues.open_log,
    }


def void(result: object) -> None:
    """An act has no result."""
