"""What the Verdicts pane draws, as pure functions: rows of the matrix, the definitions, evidence, curves."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
import numpy.typing as npt
from textual.content import Content

from explorer.base.lazy_sequence import LazySequence
from explorer.base.numbers import format_logprob_and_percent
from explorer.base.pace import format_rate
from explorer.base.records.record import Array
from explorer.base.records.tokens import CATEGORIES, LABELS
from explorer.base.records.verification import (
    VERDICTS,
    DefinitionSummary,
    Verdict,
    VerdictCell,
    VerdictColumns,
    VerdictEvidence,
    VerificationResult,
)
from explorer.base.text import visible, visible_bytes
from explorer.specs.verdict_blocks import class_words, not_asked_words
from explorer.specs.verdict_tables import controls_called, reply_shares
from explorer.tables.verdicts import VerdictMatrix
from explorer.tui.widgets.cutting import cut, padded
from explorer.tui.widgets.prompt_lines import reply_text

MARKS: dict[Verdict, tuple[str, str]] = {
    "verified": ("V", "bold $error"),
    "weak": ("w", "$warning"),
    "rejected": ("·", "$foreground-muted"),
    "inconclusive": ("?", "$foreground-muted"),
    "not asked": (" ", "$foreground-muted"),
    "inconclusive: the controls fail too": ("~", "$foreground-muted"),
}
"""A letter and a style; the letter alone tells them apart."""
LEGEND = "V glitch, w weakly, · not, ? open"
SILENCED = "~ called, but the controls fail too"
HEADINGS = {
    "magikarp-released": "mk-101",
    "glitchminer": "miner",
    "glitchminer-strict": "miner-3",
    "substring": "substr",
    "speakability": "unspeak.",
}
"""Short headings, where a definition's own name does not do."""
_MUTED = "$foreground-muted"
_CELL = 10
_NUMBER = 7
_ID = 8
_TOKEN_MIN, _TOKEN_MAX = 12, 30
_PROMPT_LINES = 6


def recorded_matrix(result: VerificationResult) -> VerdictMatrix:
    """The tokens that a recorded result lists, as a matrix: all that a replay has of it."""
    names = [definition.name for definition in result.definitions]
    joined, offsets = Array.of_tokens([bytes.fromhex(row.token.token_bytes) for row in result.rows])
    missing = VerdictCell(verdict="not asked", value=None)
    cells = [[row.verdicts.get(name, missing) for row in result.rows] for name in names]
    shape = (len(names), len(result.rows))
    verdicts = np.array([[VERDICTS.index(cell.verdict) for cell in line] for line in cells], dtype=np.uint8)
    values = np.array([[np.nan if cell.value is None else cell.value for cell in line] for line in cells], np.float32)
    return VerdictMatrix(VerdictColumns(
        model=result.model,
        source="",
        token_ids=Array.of(np.array([row.token.token_id for row in result.rows], dtype=np.int32)),
        token_bytes=joined, offsets=offsets,
        categories=Array.of(np.array([CATEGORIES.index(row.category) for row in result.rows], dtype=np.uint8)),
        indicators={}, flags={}, definitions=result.definitions,
        verdicts=Array.of(verdicts.reshape(shape)), values=Array.of(values.reshape(shape)),
        default_indicator="", main_indicator="",
    ))  # fmt: skip


def summary_text(result: VerificationResult) -> str:
    """How much was tested, how fast, which controls fail, and what the marks mean."""
    facts = [f"{result.tokens:,} tokens tested"]
    if result.tokens_per_second:
        facts.append(format_rate(result.tokens_per_second, "tokens"))
    if result.how:
        facts.append(result.how)
    if result.skipped:
        facts.append(f"{result.skipped:,} prompts not needed")
    if result.reused:
        facts.append(f"{result.reused:,} prompts from disk")
    failing = [found.name for found in result.definitions if found.controls is not None and found.controls.fail]
    if not failing:
        return f"{', '.join(facts)} · {LEGEND}"
    return f"{', '.join(facts)} · The controls fail too: {', '.join(failing)} · {LEGEND}, {SILENCED}"


def nothing_text(result: VerificationResult | None, *, is_whole: bool) -> str:
    """Why the matrix lists no token."""
    if is_whole or result is None:
        return "No token here passes: choose another view of the matrix, or 'all'."
    if not result.tokens:
        return "Cancelled before any token had every verdict; none is listed."
    return "None of the called tokens passes: choose another view."


class MatrixRows(LazySequence[Content]):
    """The rows at `places` of a matrix as lines of at most `width` cells, made when they are looked at."""

    def __init__(self, matrix: VerdictMatrix, places: npt.NDArray[np.int64], width: int, column: int) -> None:
        self.matrix, self.places, self.column = matrix, places, column
        count = len(matrix.definitions)
        self._token = max(_TOKEN_MIN, min(_TOKEN_MAX, width - _ID - 1 - count * _CELL))
        shown = max(1, min(count, (width - _ID - 1 - self._token) // _CELL))
        self._first = max(0, min(column - shown // 2, count - shown))
        self._shown = matrix.definitions[self._first : self._first + shown]

    def __len__(self) -> int:
        return len(self.places)

    def item(self, place: int) -> Content:
        """The line of the row at `place`."""
        row = int(self.places[place])
        token = padded(visible_bytes(self.matrix.token_bytes(row)), self._token)
        cells = [
            _cell(self.matrix.cell(definition.name, row), is_here=self._first + at == self.column)
            for at, definition in enumerate(self._shown)
        ]
        return Content.assemble((f"{self.matrix.token_ids[row]:>7} ", _MUTED), (token, "bold"), " ", *cells)

    def header(self) -> Content:
        """The definitions' titles; the one whose evidence Enter opens is marked."""
        parts: list[Content | str | tuple[str, str]] = ["  " + " " * _ID + "token".ljust(self._token) + " "]
        for at, definition in enumerate(self._shown):
            is_here = self._first + at == self.column
            text = ("▾" if is_here else " ") + heading_of(definition.name)
            fitted = padded(text, _CELL - 1) + " "
            parts.append((fitted, "$accent") if is_here else fitted)
        hidden = len(self.matrix.definitions) - len(self._shown)
        return Content.assemble(*parts, (f"+{hidden}", _MUTED) if hidden else "")


def heading_of(definition: str) -> str:
    """A definition in a few letters; a geometric one by its indicator's heading in the token table."""
    indicator = definition.removeprefix("geometric:")
    return visible(HEADINGS.get(definition, LABELS.get(indicator, indicator)), spaces=False)


def _cell(cell: VerdictCell, *, is_here: bool) -> tuple[str, str]:
    mark, style = MARKS[cell.verdict]
    number = "" if cell.value is None else number_text(cell.value)
    return (f"{mark} {number}".ljust(_CELL), f"{style} underline" if is_here and cell.verdict != "not asked" else style)


def number_text(value: float) -> str:
    """A verdict's number in at most seven cells, with as many of four digits as fit: `0.00123`, `5.8e-10`."""
    plain = value == 0 or 0.001 <= abs(value) < 10_000
    texts = (f"{value:.{digits}{'g' if plain else 'e'}}" for digits in range(4 if plain else 1, -1, -1))
    short = [text if plain else text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e") for text in texts]
    return next((text for text in short if len(text) <= _NUMBER), "…")


def definition_lines(result: VerificationResult, width: int) -> list[Content]:
    """Counts, rules and sources, how far definitions agree, and what is known to be true."""
    lines = [Content.styled("definition                verified    weak rejected  inconcl.", "bold")]
    for one in result.definitions:
        counts = f"{one.verified:>8,}{one.weak:>8,}{one.rejected:>9,}{one.inconclusive:>10,}"
        lines.append(Content.assemble((padded(visible(one.title, spaces=False), 25) + " ", "bold $accent"), counts))
        lines += _prose(f"{one.rule} [{one.source}]", width, 2)
        lines += _prose(_controls_text(one), width, 2) if one.controls is not None or one.replies is not None else []
    lines += ["", *_overlaps(result, width)]  # type: ignore[list-item]
    if result.truths:
        lines += [Content(""), Content.styled("against what is known", "bold")]
    for score in result.truths:
        numbers = f"precision {_share(score.precision)}  recall {_share(score.recall)}"
        wrong = f"{score.false_positives:,} false, {score.false_negatives:,} missed, {score.undecided:,} undecided"
        lines.append(Content.assemble((padded(visible(score.definition), 25) + " ", ""), numbers))
        lines += _prose(f"{score.truth}: {wrong}", width, 2)
    for note in result.notes:
        lines += _prose(note, width, 0)
    return [line if isinstance(line, Content) else Content(line) for line in lines]


def _controls_text(found: DefinitionSummary) -> str:
    """What a definition says of the controls, and what replies say, each share with its interval."""
    facts = []
    if found.controls is not None:
        facts.append(f"controls called {controls_called(found.controls)}{' too' * found.controls.fail}")
    if found.silenced:
        facts.append(f"{found.silenced:,} calls inconclusive")
    of_controls = None if found.controls is None else found.controls.replies
    counts = (("replies", found.replies), ("of controls", of_controls))
    for whose, replies in counts:
        if replies is not None:
            exact, said = reply_shares(replies)
            facts.append(f"{whose}: exact {exact}, exact or contains {said}")
    return "; ".join(facts)


def _overlaps(result: VerificationResult, width: int) -> list[Content]:
    """Jaccard index of what each two definitions call, as a triangle; as a list where that does not fit."""
    names = [definition.name for definition in result.definitions]
    found = {frozenset((pair.first, pair.second)): pair for pair in result.pairs}
    if not found:
        return []
    lines = [Content.styled("what two definitions both call, of what either calls (Jaccard)", "bold")]
    room = min(24, max(10, width - 6 * len(names)))
    if room + 6 * len(names) > width:
        for pair in result.pairs:
            words = f"{pair.jaccard:.2f}  {pair.both:,} of {pair.either:,}  {visible(pair.first)} and "
            lines.append(Content(cut(words + visible(pair.second), width)))
        return lines
    lines.append(Content.styled(" " * room + "".join(f"{at + 1:>6}" for at in range(len(names))), _MUTED))
    for row, first in enumerate(names):
        pairs = [found.get(frozenset((first, second))) for second in names[:row]]
        cells = "".join("     –" if pair is None else f"{pair.jaccard:6.2f}" for pair in pairs)
        lines.append(Content.assemble(padded(f"{row + 1} {visible(first)}", room), cells))
    return lines


def _share(number: float | None) -> str:
    return "–" if number is None else f"{number:.3f}"


def evidence_lines(evidence: VerdictEvidence, width: int, *, with_ids: bool) -> list[Content]:
    """What stands behind one cell."""
    mark, style = MARKS[evidence.cell.verdict]
    number, what = evidence.cell.value, visible(evidence.definition.value, spaces=False)
    value = "" if number is None else f"  {what} {number:.4g}"
    token = visible_bytes(bytes.fromhex(evidence.token.token_bytes))
    lines = [Content.assemble(
        (f"{mark} {evidence.cell.verdict}", style), f"{value}  ", (token, "bold"), f" {evidence.token.token_id}",
    )]  # fmt: skip
    lines += _prose(f"{evidence.definition.title}: {evidence.definition.rule}", width, 0)
    if evidence.definition.controls is not None:
        lines += _prose(f"controls called {controls_called(evidence.definition.controls)}", width, 0)
    if not evidence.prompts:
        lines += _prose("This rule looks at the weights alone; nothing was asked.", width, 0)
    for prompt in evidence.prompts:
        again = "" if prompt.reencodes else "; the prompt's text is tokenised to other ids"
        head = f"{prompt.template}: {len(prompt.prompt_ids):,} ids, the token at {len(prompt.slot_positions)}{again}"
        lines += [Content(""), *_prose(head, width, 0, "$accent")]
        shown = wrap(visible(prompt.prompt, spaces=False), max(10, width - 2))
        if len(shown) > _PROMPT_LINES:
            shown = [f"… ({len(shown) - _PROMPT_LINES} lines)", *shown[-_PROMPT_LINES:]]
        lines += [Content.styled(f"  {line}", _MUTED) for line in shown]
        if with_ids:
            lines += _prose("ids " + " ".join(map(str, prompt.prompt_ids)), width, 2)
        if not prompt.asked:
            lines += _prose(not_asked_words(prompt), width, 2)
            continue
        lines.append(Content.assemble("  → ", (cut(reply_text(prompt.reply), width - 4), "bold")))
        if with_ids and prompt.reply_ids:
            lines += _prose("ids " + " ".join(map(str, prompt.reply_ids)), width, 4)
        if prompt.logprobs:
            places = "   ".join(map(format_logprob_and_percent, prompt.logprobs))
            lines += _prose(f"the token at each place: {places}", width, 4)
        if prompt.classes:
            lines += _prose("samples: " + class_words(prompt.classes), width, 4)
    return lines


def _prose(text: str, width: int, indent: int, style: str = _MUTED) -> list[Content]:
    parts = wrap(visible(text, spaces=False), max(10, width - indent))
    return [Content.styled(" " * indent + part, style) for part in parts]
