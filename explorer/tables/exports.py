"""Chosen tokens in the forms that other programs read: CSV, Parquet, Markdown, JSONL, logit bias, ban list.

Each is a pure function from a matrix and places in it to the content of a file. The JSON Lines carry the field names
of magikarp's own result files (github.com/cohere-ai/magikarp), so that its notebooks read them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.files import write_whole
from explorer.base.records.verification import Verdict
from explorer.base.text import visible_bytes
from explorer.tables.verdicts import VerdictMatrix

CONTROLS_FAIL: Verdict = "inconclusive: the controls fail too"
BIAS = -100.0
"""The bias that bans a token in APIs that take one."""
MAGIKARP_CATEGORIES = {
    "ok": "OK", "byte": "OK", "special": "OK_SPECIAL", "fragment": "UNDECODEABLE",
    "unreachable": "UNREACHABLE_MULTI_TOKEN", "padding": "UNDECODEABLE",
}  # fmt: skip
"""Our categories → the nearest of theirs (a byte that is no text by itself: `UNDECODEABLE`)."""

Content = str | bytes


def rows_of(matrix: VerdictMatrix, places: Sequence[int]) -> list[dict[str, Any]]:
    """`{"token_id", "text", "category", "indicators", "verdicts": {definition: {"verdict", "value"}}}` of each place,
    ready for JSON; a number that is none is left out (an indicator) or null (a value)."""
    rows = []
    for place in places:
        numbers = {name: float(str(column[place])) for name, column in matrix.indicators.items()}
        verdicts = {}
        for definition in matrix.definitions:
            cell = matrix.cell(definition.name, place)
            verdicts[definition.name] = {"verdict": cell.verdict, "value": cell.value}
        rows.append(
            {
                "token_id": int(matrix.token_ids[place]),
                "token_bytes": matrix.token_bytes(place).hex(),
                "text": matrix.text(place),
                "category": matrix.category(place),
                "indicators": {name: number for name, number in numbers.items() if abs(number) < float("inf")},
                "verdicts": verdicts,
            }
        )
    return rows


def _flat(matrix: VerdictMatrix, places: Sequence[int]) -> tuple[list[str], list[dict[str, Any]]]:
    """Rows without nesting, and their columns: `definition` and `definition value` for each definition."""
    columns = ["token_id", "token_bytes", "text", "category", *matrix.indicators]
    for definition in matrix.definitions:
        columns += [definition.name, f"{definition.name} value"]
    rows = []
    for row in rows_of(matrix, places):
        verdicts = row.pop("verdicts")
        flat = {**row, **row.pop("indicators")}
        flat.pop("indicators", None)
        for name, cell in verdicts.items():
            flat[name], flat[f"{name} value"] = cell["verdict"], cell["value"]
        rows.append({column: flat.get(column) for column in columns})
    return columns, rows


def as_csv(matrix: VerdictMatrix, places: Sequence[int]) -> str:
    """A header and a line a token."""
    return csv_of(*_flat(matrix, places))


def csv_of(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """A header and a line a row. A text that a spreadsheet would take for a formula has an apostrophe before it."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns)  # with \r\n: else a token that is \r would not be quoted
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.lstrip("\t\r\n")[:1] in tuple("=+-@") else value


def as_parquet(matrix: VerdictMatrix, places: Sequence[int]) -> bytes:
    """The columns of the CSV, typed. Raises `ExplorerError` where pyarrow is not installed."""
    columns, rows = _flat(matrix, places)
    verdicts = {definition.name for definition in matrix.definitions}
    texts = {"token_bytes", "text", "category", *verdicts}
    types = {name: "string" if name in texts else "float32" for name in columns} | {"token_id": "int32"}
    return parquet_of(rows, types)


def parquet_of(rows: list[dict[str, Any]], types: Mapping[str, str]) -> bytes:
    """`rows` with a column for each name in `types`, which holds pyarrow's names of types.

    Raises `ExplorerError` where pyarrow is not installed.
    """
    try:
        import pyarrow as arrow  # type: ignore[import-untyped]
        from pyarrow import parquet
    except ImportError as error:
        raise ExplorerError("Parquet needs pyarrow, which is not installed", hint="pip install pyarrow") from error
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in types.items()])
    out = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_pylist(rows, schema=schema), out)
    content: bytes = out.getvalue().to_pybytes()
    return content


def as_markdown(matrix: VerdictMatrix, places: Sequence[int]) -> str:
    """A table for people: token, category, the main indicator, and each definition's verdict with its number."""
    names = [definition.name for definition in matrix.definitions]
    main = matrix.indicators.get(matrix.main_indicator)  # none of a model without weights, or as a session has it
    head = ["id", "token", "category", *([] if main is None else [matrix.main_indicator]), *names]
    lines = ["| " + " | ".join(head) + " |", "|---:|---|---|" + ("" if main is None else "---:|") + "---|" * len(names)]
    for place in places:
        cells = [matrix.cell(name, place) for name in names]
        said = [cell.verdict if cell.value is None else f"{cell.verdict} {cell.value:.3g}" for cell in cells]
        number = [] if main is None else [f"{main[place]:.5g}"]
        token = in_markdown(visible_bytes(matrix.token_bytes(place)))
        lines.append(
            "| " + " | ".join([str(matrix.token_ids[place]), token, matrix.category(place), *number, *said]) + " |"
        )
    return "\n".join(lines) + "\n"


def in_markdown(shown: str) -> str:
    """A token as code in a table cell, whatever backquotes and bars it holds."""
    fence = "`" * (1 + max((len(run) for run in shown.replace("`", " ` ").split() if set(run) == {"`"}), default=0))
    while fence in shown:
        fence += "`"
    padded = f" {shown} " if shown.startswith("`") or shown.endswith("`") else shown
    return fence + padded.replace("|", "\\|") + fence


def as_magikarp_jsonl(matrix: VerdictMatrix, places: Sequence[int]) -> str:
    """A line a token in magikarp's field names: `i`, `raw_vocab`, `category`, `decoded`, `indicators`,
    `indicator_names`, `main_indicator`, and, where the `magikarp` definition was asked, `max_prob` and `magikarp`.

    `raw_vocab` is the token's text, not its tokenizer's spelling; their `verification` (a reply a prompt) is left out.
    """
    lines = []
    for row in rows_of(matrix, places):
        line = {
            "i": row["token_id"],
            "raw_vocab": row["text"],
            "category": "UNDECODEABLE" if "\ufffd" in row["text"] else MAGIKARP_CATEGORIES[row["category"]],
            "decoded": row["text"],
            "indicators": list(row["indicators"].values()),
            "indicator_names": list(row["indicators"]),
            "main_indicator": row["indicators"].get(matrix.main_indicator),
        }
        cell = row["verdicts"].get("magikarp")
        if cell is not None and cell["value"] is not None:
            line |= {"max_prob": cell["value"]}
            if cell["verdict"] != CONTROLS_FAIL:  # their words have none for it
                line |= {"magikarp": _magikarp_word(cell)}
        lines.append(json.dumps(line, ensure_ascii=False))
    return "".join(line + "\n" for line in lines)


def _magikarp_word(cell: dict[str, Any]) -> str:
    if cell["verdict"] == "rejected":
        return "strong_rejected" if cell["value"] > 0.9 else "weak_rejected"
    words = {"verified": "strong_verified", "weak": "weak_verified"}
    return words.get(cell["verdict"], "verification_encoding_failed")


def as_logit_bias(matrix: VerdictMatrix, places: Sequence[int], bias: float = BIAS) -> str:
    """`{"token id": bias}`, as APIs take it."""
    return json.dumps({str(int(matrix.token_ids[place])): bias for place in places}) + "\n"


def as_ban_list(matrix: VerdictMatrix, places: Sequence[int]) -> str:
    """A JSON list of ids, for `bad_words_ids` and their like."""
    return json.dumps([int(matrix.token_ids[place]) for place in places]) + "\n"


FORMATS: dict[str, Callable[[VerdictMatrix, Sequence[int]], Content]] = {
    "csv": as_csv, "parquet": as_parquet, "markdown": as_markdown, "jsonl": as_magikarp_jsonl,
    "logit-bias": as_logit_bias, "ban-list": as_ban_list,
}  # fmt: skip
"""By name, as typed after `--format`."""
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".md": "markdown", ".jsonl": "jsonl",
            ".bias.json": "logit-bias", ".ban.json": "ban-list"}  # fmt: skip


def form_of(path: Path, form: str = "") -> str:
    """`form`, or the form that the suffix of `path` means. Raises `UsageError` for one that is not known."""
    form = form or next((known for suffix, known in SUFFIXES.items() if path.name.lower().endswith(suffix)), "")
    if form not in FORMATS:
        hint = f"Choose one of: {', '.join(FORMATS)}; or end the name with one of: {' '.join(SUFFIXES)}."
        raise UsageError(f"{path.name} has no known form", hint=hint)
    return form


def write_export(matrix: VerdictMatrix, places: Sequence[int], path: Path, form: str = "") -> str:
    """Write the tokens at `places` to `path` in `form` (empty: by its suffix); returns the form.

    Raises `ExplorerError` for an unknown form and where the file cannot be written; then there is no part of it.
    """
    form = form_of(path, form)
    write_content(path, FORMATS[form](matrix, places))
    return form


def write_content(path: Path, content: Content) -> None:
    """Write a whole file. Raises `ExplorerError` where it cannot be written; then there is no part of it."""
    try:
        write_whole(path, [content if isinstance(content, bytes) else content.encode()])
    except OSError as error:
        raise ExplorerError(f"{path.name} cannot be written: {error.strerror}", hint="Name another place.") from error
