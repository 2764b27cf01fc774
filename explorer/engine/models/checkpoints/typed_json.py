"""JSON files of a stranger's folder, with every value typed before it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from explorer.engine.models.checkpoints.tokenizer_files import read_json
from explorer.engine.models.errors import ModelError

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def read_typed(file: Path, kind: type[_Struct]) -> _Struct:
    """A JSON file as `kind`, with its defaults where there is no file; raises `ModelError` where it is no JSON object
    or a value is of another type."""
    return as_typed(read_json(file), kind, file)


def as_typed(values: dict[str, Any], kind: type[_Struct], file: Path) -> _Struct:
    """What stands in `file`, or a part of it, as `kind`; raises `ModelError` where a value is of another type."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ModelError(f"{file} cannot be used: {error}", hint="Correct it, or get it again.") from error
