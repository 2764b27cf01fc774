"""What the detail view writes about a token, as styled lines. No widget in here.

The order is that of importance: in a low pane the first lines are all that is in sight.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from explorer.base.records.inspect import TokenDetail
from explorer.base.records.tokens import LABELS, TokenRef, TokenRow
from explorer.base.text import visible
from explorer.specs import merges
from explorer.specs.blocks import token_text
from explorer.tui.panes.tokens.table_layout import ramp_step
from explorer.tui.widgets.cutting import cut, padded
from explorer.tui.widgets.guard import CONTROLS

LOW = 12
"""Lines below which the indicators stand two to a line."""
_FIELD = 13
_TITLE_TOKEN = 40
_NAME = 24
"""Cells of a token that is named beside another."""
_TRACK = 11
_MUTED = "$foreground 60%"


def detail_lines(
    row: TokenRow,
    detail: TokenDetail | None,
    *,
    marked: bool,
    width: int,
    height: int,
    awaited: str = "…",
    problem: str = "",
) -> list[Content]:
    """Everything known of the token `row`; `awaited` stands for what `detail` would say, `problem` why it does not."""
    lines = [_title(row, marked=marked), *_origin(row, detail, awaited, problem), *_indicators(row, width, height)]
    lines += [*_spelling(row, width), *_merge_path(detail), *_published(detail)]
    return lines


def _title(row: TokenRow, *, marked: bool) -> Content:
    token = cut(token_text(row), _TITLE_TOKEN)
    category = _MUTED if row.category == "ok" else "$warning"
    tick = ("  ✓ marked", "$success") if marked else ("", "")
    return Content.assemble((f"{row.token_id}  ", _MUTED), (token, "bold"), (f"  {row.category}", category), tick)


def _origin(row: TokenRow, detail: TokenDetail | None, awaited: str, problem: str) -> list[Content]:
    """Five lines, whether the answer is here or not, so that nothing moves when it arrives."""
    merged = (merges.MADE_FROM, merges.SWALLOWED_BY, merges.CONTAINED_IN, merges.REENCODES_TO)
    if detail is None:
        return [_field("known as", (problem or awaited, _MUTED)), *(_field(name, (awaited, _MUTED)) for name in merged)]
    known = _known(detail)
    return [
        _field("known as", (known, "$warning") if known else ("–", _MUTED)),
        _field(merges.MADE_FROM, _or_muted(merges.parents_text(detail, _named), "no merge")),
        _field(merges.SWALLOWED_BY, _or_muted(merges.swallowed_text(detail, name=_named), "no merge")),
        _field(merges.CONTAINED_IN, _or_muted(merges.contained_text(detail, name=_named), "no longer token")),
        _field(merges.REENCODES_TO, _reencoded(row, detail)),
    ]


def _known(detail: TokenDetail) -> str:
    facts = [detail.ground_truth and f"{detail.ground_truth} (zoo card)"]
    facts += ["reference token" if detail.is_unused_reference else ""]
    facts += [f"published, {len(detail.published)} ×" if detail.published else ""]
    return " · ".join(visible(fact, spaces=False) for fact in facts if fact)


def _or_muted(words: str, otherwise: str) -> tuple[str, str]:
    return (words, "") if words else (otherwise, _MUTED)


def _reencoded(row: TokenRow, detail: TokenDetail) -> tuple[str, str]:
    if tuple(ref.token_id for ref in detail.reencodes_to) == (row.token_id,):
        return "itself", _MUTED
    return merges.reencoded_text(detail, _named) or "nothing", "$warning"


def _indicators(row: TokenRow, width: int, height: int) -> list[Content]:
    if not row.indicators:
        return [_field("indicators", ("none: its row holds no numbers, or is not here", _MUTED))]
    values = aligned([significant(value) for value in row.indicators.values()])
    if height < LOW:
        return _indicator_pairs(row, values, width)
    labels = {name: LABELS.get(name, visible(name)) for name in row.indicators}
    name_width = max(len("indicator"), *map(cell_len, labels.values()))
    value_width = max(len("value"), *map(len, values))
    heading = f"{'indicator'.ljust(name_width)}  {'value'.rjust(value_width)}    pct  robust z"
    lines = [Content.styled(heading, _MUTED)]
    for (name, label), value in zip(labels.items(), values, strict=True):
        percentile, z = row.percentiles.get(name, math.nan), row.robust_z.get(name, math.nan)
        numbers = f"  {value.rjust(value_width)}  {_percentile(percentile)}  {_z(z)}  "
        room = width - name_width - len(numbers)
        bar = (track(percentile) if room >= _TRACK else "", _ramp(percentile))
        lines.append(Content.assemble(padded(label, name_width), numbers, bar))
    return lines


def _indicator_pairs(row: TokenRow, values: Sequence[str], width: int) -> list[Content]:
    cells = []
    for name, value in zip(row.indicators, values, strict=True):
        percentile = row.percentiles.get(name, math.nan)
        label = padded(LABELS.get(name, visible(name)), 10)
        place = (f"p{_percentile(percentile)}  ", _ramp(percentile))
        cells.append(Content.assemble((label, _MUTED), f" {value} ", place))
    across = max(1, width // max(cell.cell_length for cell in cells))
    return [Content.assemble(*cells[start : start + across]) for start in range(0, len(cells), across)]


def _spelling(row: TokenRow, width: int) -> list[Content]:
    token_bytes = bytes.fromhex(row.token_bytes)
    lines = [_field("bytes", f"{token_bytes.hex(' ')}  ({len(token_bytes)})" if token_bytes else "none")]
    if cell_len(token_text(row)) > _TITLE_TOKEN:
        lines.append(_field("token", token_text(row)))
    glyphs = safe_glyphs(row.text)
    if glyphs.strip() and glyphs != token_text(row).replace("·", " "):
        lines.append(_field("glyphs", cut(glyphs, max(1, width - _FIELD - 1))))
    return lines


def _merge_path(detail: TokenDetail | None) -> list[Content]:
    """Every merge that leads to the token; not where its own is the only one, which stands above."""
    if detail is None or len(detail.merge_path) < 2:
        return []
    return [_field(merges.MERGE_PATH, merges.path_text(detail, lambda ref: cut(token_text(ref), _NAME)))]


def _published(detail: TokenDetail | None) -> list[Content]:
    facts = detail.published if detail is not None else ()
    return [
        _field("published", visible(f"{fact.model}: {fact.statement} ({fact.list_name})", spaces=False))
        for fact in facts
    ]


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────


def safe_glyphs(text: str) -> str:
    """`text` as it is written; what could move others or control a terminal is shown as `\\u{…}`.

    Joiners, combining marks and right-to-left letters stay, and terminals disagree on their width: this
    belongs on a line of its own.
    """
    kept = "".join(
        character
        for character in CONTROLS.sub(lambda found: visible(found[0]), text)
        if unicodedata.category(character) not in ("Cc", "Cs", "Cn", "Co") and character != "\ufffd"
    )
    return "◌" + kept if kept and unicodedata.category(kept[0])[0] == "M" else kept


def significant(value: float) -> str:
    """Four decimals, and up to seven where that would leave fewer than three digits; never an exponent."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    decimals = 4 if value == 0 else min(7, max(4, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:.{decimals}f}"


def aligned(numbers: Sequence[str]) -> list[str]:
    """The numbers padded at both sides so that their decimal points stand in one line."""
    parts = [number.partition(".") for number in numbers]
    before, after = max(len(whole) for whole, _, _ in parts), max(len(point + rest) for _, point, rest in parts)
    return [whole.rjust(before) + (point + rest).ljust(after) for whole, point, rest in parts]


def track(percentile: float) -> str:
    """Where a percentile lies, as a dot on a line."""
    if math.isnan(percentile):
        return " " * _TRACK
    place = round(percentile / 100 * (_TRACK - 1))
    return "─" * place + "●" + "─" * (_TRACK - 1 - place)


def _percentile(percentile: float) -> str:
    return "  –  " if math.isnan(percentile) else f"{percentile:5.1f}"


def _z(z: float) -> str:
    if math.isnan(z):
        return "–   ".rjust(8)
    return f"{z:+8.2f}" if math.isfinite(z) else ("+∞" if z > 0 else "−∞").rjust(5) + "   "


def _ramp(percentile: float) -> str:
    step = ramp_step(percentile)
    return _MUTED if step is None else f"$ramp-{step}"


def _named(ref: TokenRef) -> str:
    return f"{cut(token_text(ref), _NAME)} {ref.token_id}"


def _field(name: str, value: str | tuple[str, str]) -> Content:
    return Content.assemble((padded(name, _FIELD) + " ", _MUTED), value)
