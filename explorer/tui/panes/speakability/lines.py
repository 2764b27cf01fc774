"""What the Speakability pane draws, as pure functions of what was proved: lines, some of which lead to a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from textual.content import Content

from explorer.base.pace import format_rate
from explorer.base.records.speakability import (
    ProofCheck,
    Speakability,
    SpeakabilityCertificate,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.tokens import TokenRef
from explorer.base.text import visible
from explorer.specs.blocks import token_text
from explorer.specs.proof_words import check_of, check_words, lost_words, tie_words
from explorer.tui.widgets.cutting import cut, padded

MARKS: dict[Speakability, tuple[str, str]] = {
    "speakable": ("✓", "$success"),
    "unspeakable": ("✗", "$error"),
    "undecided": ("?", "$warning"),
}
"""A sign and a colour; the sign alone tells them apart."""
_MUTED = "$foreground-muted"
_SHADOWS = 12
_LARGEST = 6
_BAR = 12


@dataclass(frozen=True)
class Line:
    """A line of the pane; Enter on it goes to `token_id`, where there is one."""

    content: Content
    token_id: int | None = None


@dataclass(frozen=True)
class Answer:
    """What one question gave about one token."""

    row: SpeakabilityRow
    result: SpeakabilityResult


def form_of(result: SpeakabilityResult) -> str:
    """`ball, with bias, folded weights`."""
    mode = result.mode.replace("_", " ")
    return f"{mode}, {'with' if result.bias else 'no'} bias, {'folded' if result.folded else 'raw'} weights"


def answer_lines(answer: Answer, width: int) -> list[Line]:
    """One question's answer about one token, in lines of at most `width` cells."""
    row, result = answer.row, answer.result
    mark, colour = MARKS[row.verdict]
    lines = [Line(Content.styled(form_of(result), "bold $accent")), *prose(result.question, width, 1)]
    lines.append(
        Line(Content.assemble((f" {mark} {_verdict(row, result)}", f"bold {colour}"), "  ", _margin(row, result)))
    )
    lines += prose(tie_words(row), width, 3) if row.tied else []
    lines.append(_own_direction(row, width))
    if result.mode == "ball" and row.verdict == "speakable" and row.on_sphere is not None:
        where = "on the sphere too" if row.on_sphere else "inside the ball; on the sphere no such place was found"
        lines += prose(f"wins {where}", width, 3)
    if row.certificate is not None:
        names = {token.token_id: token for token in result.names}
        lines += _proof(row.certificate, names, width)
    if row.solid_angle is not None:
        angle = row.solid_angle
        share = f"10^{angle.log10:.2f} ± {angle.stderr:.2f}" if angle.found else f"below 10^{angle.log10:.0f}"
        lines += prose(f"wins in a share of {share} of all directions (no bias)", width, 3)
    lines += _checked(check_of(result, row))
    return [*lines, *(line for note in result.notes for line in prose(note, width, 3)), Line(Content(""))]


def _verdict(row: SpeakabilityRow, result: SpeakabilityResult) -> str:
    if result.mode == "own_direction":
        return "wins along its own row" if row.verdict == "speakable" else "hard to speak: another wins along its row"
    return row.verdict


def _margin(row: SpeakabilityRow, result: SpeakabilityResult) -> Content:
    if result.mode == "own_direction":
        return Content(f"by {abs(row.margin):.4g}")
    words = {
        "speakable": f"leads by {row.margin:.4g}",
        "unspeakable": f"never leads by more than {row.margin:.3g}",
        "undecided": f"leads by at most {row.margin:.3g} anywhere: not settled",
    }
    return Content(words[row.verdict])


def _own_direction(row: SpeakabilityRow, width: int) -> Line:
    winner = row.own_direction_winner
    if winner.token_id == row.token.token_id:
        return Line(Content.styled("   along its own row it wins itself", _MUTED))
    room = max(6, width - 40)
    return Line(Content.assemble(
        ("   along its own row wins ", _MUTED), (cut(token_text(winner), room), "bold"), f" {winner.token_id}",
    ), winner.token_id)  # fmt: skip


def _proof(proof: SpeakabilityCertificate, names: Mapping[int, TokenRef], width: int) -> list[Line]:
    if proof.kind == "row_witness":
        return [Line(Content.styled("   proof: it wins at its own row less the mean row", _MUTED))]
    if proof.kind == "witness":
        size = sum(number * number for number in proof.x) ** 0.5
        largest = sorted(range(len(proof.x)), key=lambda axis: -abs(proof.x[axis]))[:_LARGEST]
        numbers = "  ".join(f"x[{axis}] {proof.x[axis]:+.3g}" for axis in largest)
        told = f"proof: a witness x of {len(proof.x)} numbers, |x| {size:.4g}; largest: {numbers}"
        return prose(told, width, 3)
    weighed = sorted(zip(proof.weights, proof.token_ids, strict=True), reverse=True)
    count = len(weighed)
    told = "1 token shadows it: it scores" if count == 1 else f"{count:,} tokens shadow it: weighted so, they score"
    lines = prose(f"proof: {told} at least as much at every x:", width, 3)
    heaviest = max((weight for weight, _ in weighed), default=1.0)
    for weight, token_id in weighed[:_SHADOWS]:
        bar = "█" * max(1, round(_BAR * weight / heaviest))
        name = token_text(names[token_id]) if token_id in names else ""
        lines.append(Line(Content.assemble(
            (f"   {bar:<{_BAR}} ", "$accent"), f"{weight:8.3g} {token_id:>7} ",
            (cut(name, max(4, width - 35)), "bold"),
        ), token_id))  # fmt: skip
    if count > _SHADOWS:
        rest = sum(weight for weight, _ in weighed[_SHADOWS:])
        lines.append(Line(Content.styled(f"   and {count - _SHADOWS:,} more, together {rest:.3g}", _MUTED)))
    if proof.centre:
        lines.append(Line(Content.styled(f"   and the mean of all rows, {proof.centre:.3g}", _MUTED)))
    return lines


def _checked(check: ProofCheck | None) -> list[Line]:
    words = "" if check is None else check_words(check)
    if check is None or not words:
        return []
    mark, colour = ("✗", "$error") if check.refused else ("✓", "$success")
    return [Line(Content.styled(f"   {mark} {words}", colour))]


def summary_lines(result: SpeakabilityResult, width: int) -> list[Line]:
    """A run over many tokens: the question, the counts, and the tokens to look at first."""
    lines = [Line(Content.styled(form_of(result), "bold $accent")), *prose(result.question, width, 1)]
    for verdict, count in (
        ("speakable", result.speakable), ("unspeakable", result.unspeakable), ("undecided", result.undecided),
    ):  # fmt: skip
        mark, colour = MARKS[verdict]  # type: ignore[index]
        lines.append(Line(Content.styled(f" {mark} {count:>7,} {verdict}", colour)))
    hard = f"{result.hard:,} of {result.tokens:,} are hard to speak: another token wins along their own row"
    lines += [line for words in lost_words(result) or (hard,) for line in prose(words, width, 1)]
    rate = f"; {format_rate(result.tokens_per_second, 'tokens')}" if result.tokens_per_second else ""
    work = f"{result.reused:,} {'was' if result.reused == 1 else 'were'} on disk{rate}"
    lines += [*prose(work, width, 1), *(line for note in result.notes for line in prose(note, width, 1))]
    lines += [Line(Content("")), Line(Content.styled(_head(width), "bold"))]
    return lines + [_listed(row, width) for row in result.rows]


def _room(width: int) -> int:
    return max(6, (width - 34) // 2)


def _head(width: int) -> str:
    room = _room(width)
    return f"  {'id':>7}  {'token':<{room}}  {'margin':>9}  {'wins along its row':<{room}}"


def _listed(row: SpeakabilityRow, width: int) -> Line:
    mark, colour = MARKS[row.verdict]
    room, itself = _room(width), row.own_direction_winner.token_id == row.token.token_id
    winner = "itself" if itself else token_text(row.own_direction_winner)
    return Line(Content.assemble(
        (f"{mark} ", colour), f"{row.token.token_id:>7}  ",
        (padded(token_text(row.token), room), "bold"),
        f"  {row.margin:>9.3g}  ", (cut(winner, room), _MUTED),
    ), row.token.token_id)  # fmt: skip


def prose(text: str, width: int, indent: int, style: str = _MUTED) -> list[Line]:
    """Words on as many lines as they need."""
    room = max(10, width - indent)
    return [Line(Content.styled(" " * indent + part, style)) for part in wrap(visible(text, spaces=False), room)]


def contents(lines: Sequence[Line]) -> list[Content]:
    """As a list shows them."""
    return [line.content for line in lines]
