"""Rows of any kind in the forms that other programs read: CSV, Parquet, Markdown, JSONL, logit bias, ban list.

A row is a dict ready for JSON. CSV, Parquet and Markdown have one column for each field: a field of a nested dict is
`outer.inner`, a list is JSON. The forms are told apart by the file's suffix, as in `explorer.tables.exports`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from explorer.base.errors import UsageError
from explorer.base.text import visible
from explorer.tables.exports import BIAS, Content, csv_of, form_of, in_markdown, parquet_of, write_content

Row = dict[str, Any]


def write_rows(rows: Iterable[Row], path: Path) -> int:
    """Write `rows` to `path` in the form that its suffix means; returns how many there were.

    Raises `ExplorerError` for an unknown form, one that the rows have no ids for, and where the file cannot be written;
    then there is no part of it.
    """
    form, taken = form_of(path), list(rows)
    write_content(path, _FORMS[form](taken))
    return len(taken)


def flatten(rows: Sequence[Row]) -> tuple[list[str], list[Row]]:
    """The columns of all rows in the order in which they first come, and each row without nesting."""
    flat = [_flat(row) for row in rows]
    return list(dict.fromkeys(name for row in flat for name in row)), flat


def _flat(row: Row, before: str = "") -> Row:
    found: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}.")
        else:
            is_list = isinstance(value, list | tuple)
            found[before + name] = json.dumps(value, ensure_ascii=False) if is_list else value
    return found


def as_tsv(rows: Sequence[Row], *, heading: bool = True) -> str:
    """A `heading` and a line a row, to be pasted; tabs, line breaks and control characters of a text are escaped."""
    columns, flat = flatten(rows)
    lines = [columns] if heading else []
    lines += [[_cell(row.get(name)) for name in columns] for row in flat]
    return "\n".join("\t".join(line) for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else visible(str(value), spaces=False)


def _as_csv(rows: Sequence[Row]) -> Content:
    return csv_of(*flatten(rows))


def _as_jsonl(rows: Sequence[Row]) -> Content:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _as_markdown(rows: Sequence[Row]) -> Content:
    columns, flat = flatten(rows)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_in_table(row.get(name)) for name in columns) + " |" for row in flat]
    return "\n".join(lines) + "\n"


def _in_table(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return in_markdown(visible(value)) if isinstance(value, str) and value else _cell(value)


def _as_parquet(rows: Sequence[Row]) -> Content:
    columns, flat = flatten(rows)
    kinds = {name: {type(row[name]) for row in flat if row.get(name) is not None} for name in columns}
    texts = [name for name in columns if str in kinds[name] or not kinds[name]]
    for row in flat:
        row |= {name: str(row[name]) for name in texts if row.get(name) is not None}
    names = {bool: "bool_", int: "int64"}
    types = {name: names.get(next(iter(found)), "float64") for name, found in kinds.items() if len(found) == 1}
    return parquet_of(flat, {name: "string" if name in texts else types.get(name, "float64") for name in columns})


def _as_logit_bias(rows: Sequence[Row]) -> Content:
    return json.dumps({str(token_id): BIAS for token_id in _ids(rows)}) + "\n"


def _as_ban_list(rows: Sequence[Row]) -> Content:
    return json.dumps(_ids(rows)) + "\n"


def _ids(rows: Sequence[Row]) -> list[int]:
    if any("token_id" not in row for row in rows):
        raise UsageError("these rows are not tokens", hint="Name a file that ends with .csv .parquet .md or .jsonl.")
    return list(dict.fromkeys(row["token_id"] for row in rows))


_FORMS: dict[str, Callable[[Sequence[Row]], Content]] = {
    "csv": _as_csv, "parquet": _as_parquet, "markdown": _as_markdown, "jsonl": _as_jsonl,
    "logit-bias": _as_logit_bias, "ban-list": _as_ban_list,
}  # fmt: skip
