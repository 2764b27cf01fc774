"""What is known of speakability: answers about named tokens, and what runs over many told, by model."""

from __future__ import annotations

from textual.content import Content

from explorer.base.records.speakability import (
    SpeakabilityMode,
    SpeakabilityPart,
    SpeakabilityResult,
)
from explorer.base.text import visible
from explorer.tables.table import AddedColumn
from explorer.tui.panes.speakability.form import MODES
from explorer.tui.panes.speakability.lines import MARKS, Answer, Line, answer_lines
from explorer.tui.panes.speakability.runs import RunColumns

Key = tuple[SpeakabilityMode, bool, bool]
"""Mode, whether with bias, whether folded."""
Place = tuple[str, int]
"""A model's name and a token id."""


class Known:
    """Everything the pane was told since it was last cleared."""

    def __init__(self) -> None:
        self._answers: dict[Place, dict[Key, Answer]] = {}
        self._runs: dict[tuple[str, Key], RunColumns] = {}

    def __contains__(self, place: Place | None) -> bool:
        """Whether the token was asked about by itself."""
        return place in self._answers

    def take(self, result: SpeakabilityResult) -> None:
        """The answers about named tokens."""
        for row in result.rows:
            answers = self._answers.setdefault((result.model, row.token.token_id), {})
            answers[result.mode, result.bias, result.folded] = Answer(row, result)

    def take_part(self, model: str, key: Key, part: SpeakabilityPart, vocab_size: int) -> None:
        """What a run over many tokens told."""
        run = self._runs.get((model, key))
        if run is None or len(run.verdicts) != vocab_size:
            run = self._runs[model, key] = RunColumns(key[0], vocab_size)
        run.take(part)

    def columns(self) -> dict[str, dict[str, AddedColumn]]:
        """By model, the token table's columns."""
        found: dict[str, dict[str, AddedColumn]] = {}
        for (model, _), run in self._runs.items():
            found.setdefault(model, {}).update(run.columns())
        return found

    def forget(self, name: str) -> None:
        """Forget all that is about the model `name`."""
        self._answers = {place: answers for place, answers in self._answers.items() if place[0] != name}
        self._runs = {(model, key): run for (model, key), run in self._runs.items() if model != name}

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._runs.clear()

    def answers(self, place: Place) -> list[Answer]:
        """The answers about a token, in the order of the modes."""
        answers = self._answers.get(place, {})
        return [answers[key] for key in sorted(answers, key=_order)]

    def lines(self, place: Place, width: int) -> list[Line]:
        """The answers about a token; what runs told of one that was not asked about by itself; none at all."""
        answers = self._answers.get(place)
        if not answers:
            return self._told_lines(place)
        subject = next(iter(answers.values())).row.token
        heading = Line(Content.styled(f"{visible(subject.text)}  {subject.token_id}", "bold"))
        return [heading, *(line for key in sorted(answers, key=_order) for line in answer_lines(answers[key], width))]

    def _told_lines(self, place: Place) -> list[Line]:
        lines: list[Line] = []
        for (model, key), run in self._runs.items():
            told = run.known(place[1]) if model == place[0] else None
            if told is not None:
                mark, colour = MARKS[told.verdict]
                text = f"{mark} {key[0].replace('_', ' ')}: {told.verdict}, margin {told.margin:.4g}"
                lines.append(Line(Content.styled(text, colour), told.winner))
        return lines


def _order(key: Key) -> tuple[int, bool, bool]:
    return (MODES.index(key[0]), not key[1], not key[2])
