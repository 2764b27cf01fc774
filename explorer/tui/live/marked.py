"""The marked tokens with their verdicts, as something to export."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from explorer.tui.live.app import ExplorerApp
    from explorer.tui.panes.verdicts.pane import VerdictsPane


def export_marked(app: ExplorerApp) -> None:
    """Export the marked tokens with their verdicts, tested or not."""
    selection = app.selection
    vocabulary = app.models.vocabularies.get(selection.model.name) if selection.model is not None else None
    if not selection.marked or vocabulary is None:
        app.remark("No token is marked: space marks one.", problem=True)
        return
    from explorer.tui.panes.verdicts.exporting import takeaway_of_marks

    pane = cast("VerdictsPane", app.workspace.pane("verdicts"))
    found = takeaway_of_marks(pane.body.listed, selection, vocabulary)
    app.exports.open(found, "The vocabulary is not read yet.")
