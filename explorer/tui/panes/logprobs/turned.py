"""The table turned, models down: a line for each model and target, as base and instruct models were first compared.

text-ada-001 'Re' -1.410 / 24.43%
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from explorer.base.records.logprobs import LogprobCell
from explorer.tui.panes.logprobs.cells import (
    FORMS,
    WORDS,
    Form,
    cell_styles,
    cell_texts,
    entropy_text,
    model_name,
    target_names,
)
from explorer.tui.panes.logprobs.table_view import TableView, model_order
from explorer.tui.widgets.prompt_lines import MUTED, fit

_GAP = " "


def turned_lines(view: TableView, width: int) -> list[Content]:
    """A line for each model, under one target or under each in turn, and each model's entropy."""
    if not view.table.targets:
        return [Content.styled("no targets: write some, or ask for the top k", MUTED)]
    places = [view.target] if view.shape == "one" else list(range(len(view.table.targets)))
    shown = [(place, at) for place in places for at in model_order(view, place)]
    cells = [view.table.columns[at].cells[place] for place, at in shown]
    names, targets = _name_cells(view, places, width)
    form = _form(view, cells, width - min(names + targets, width // 2) - 2 * len(_GAP))
    texts = cell_texts(cells, form)
    names, targets = _name_cells(view, places, width - len(texts[0]) - 2 * len(_GAP))
    styles, wanted = cell_styles(view.table), target_names(view.table)
    lines = [_caption(view, form)]
    for number, ((place, at), text) in enumerate(zip(shown, texts, strict=True)):
        if number and len(view.table.columns) > 1 and place != shown[number - 1][0]:
            lines.append(Content(""))
        name = fit(model_name(view.table.columns[at]), names, "bold")
        numbers = Content.styled(text, styles[at][place])
        lines.append(Content(_GAP).join([name, _quoted(wanted[place], targets), numbers]))
    return [*lines, Content(""), *_entropies(view, texts, names, targets)]


def _form(view: TableView, cells: Sequence[LogprobCell], room: int) -> Form:
    """The form chosen, or the fullest, that fits in `room` cells beside model and target."""
    fitting = [form for form in FORMS if len(cell_texts(cells, form)[0]) <= room]
    return view.form if view.form in fitting else next(iter(fitting), FORMS[-1])


def _name_cells(view: TableView, places: Sequence[int], room: int) -> tuple[int, int]:
    """Cells for the models' names and for the targets; the longer of the two gives way."""
    wanted = target_names(view.table)
    names = max(Content(model_name(column)).cell_length for column in view.table.columns)
    targets = max(Content(wanted[place]).cell_length + 2 for place in places)
    names, targets = max(names, len("entropy")), max(targets, len("entropy"))
    while names + targets > max(room, 2):
        names, targets = (names - 1, targets) if names > targets else (names, targets - 1)
    return names, targets


def _quoted(name: str, cells: int) -> Content:
    """A target between quotes in exactly `cells` cells; what is cut is cut between them."""
    cut = Content(name).truncate(max(1, cells - 2), ellipsis=True)
    return fit(Content("'") + cut + Content("'"), cells)


def _caption(view: TableView, form: Form) -> Content:
    """What a line holds, and in the shape `one` which target is shown."""
    words = f"{WORDS[form]}, nats"
    if view.sort is not None:
        words += f"   {'▲' if view.reverse else '▼'} by logprob"
    if view.shape == "one":
        words += f"   ◂ target {view.target + 1} of {len(view.table.targets)} ▸"
    return Content.styled(words, MUTED)


def _entropies(view: TableView, texts: Sequence[str], names: int, targets: int) -> list[Content]:
    return [
        Content(_GAP)
        .join([fit(model_name(column), names), fit("entropy", targets), Content(entropy_text(column, texts))])
        .stylize_before(MUTED)
        for column in view.table.columns
    ]
