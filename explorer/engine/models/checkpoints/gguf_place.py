"""Which GGUF file a path stands for: itself, the only one in a folder, or the first of a model in several files."""

from __future__ import annotations

import re
from pathlib import Path

from explorer.engine.models.checkpoints.limits import check_file
from explorer.engine.models.errors import ModelError

MAGIC = b"GGUF"
SUFFIX = ".gguf"
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<place>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_BLOB = re.compile(r"sha256-[0-9a-f]{64}")
_PROJECTOR = "mmproj"
"""Part of the name of files that hold the image encoder of a multimodal model beside its text model."""
_MOST_SPLITS = 1_000


def is_gguf(file: Path) -> bool:
    """Whether the file begins as a GGUF file does, whatever it is called (ollama calls them `sha256-…`)."""
    check_file(file)
    try:
        with file.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def find_gguf(place: Path) -> tuple[Path, ...]:
    """The GGUF files of the model at `place`, a file or a folder, in order; none where a folder is no GGUF model.

    A folder with safetensors weights beside it is not one. Raises `ModelError` for a file of another kind, for several
    models in one folder, and where one of the files of a split model is missing.
    """
    if not place.exists():
        return ()
    if place.is_dir():
        chosen = _only_one(place)
        return () if chosen is None else _all_splits(chosen)
    if not is_gguf(place):
        raise ModelError(
            f"{place.name} is a file, but no GGUF file: it does not begin with GGUF",
            hint="Name a GGUF file, or the folder of a Hugging Face model.",
        )
    return _all_splits(place)


def model_name(file: str) -> str:
    """What to call the model in a GGUF file of this name: without the suffix and the count of files; ollama's digests
    short."""
    if _BLOB.fullmatch(file):
        return file[: len("sha256-") + 12]
    if (split := _SPLIT.fullmatch(file)) is not None:
        return split["stem"]
    return file[: -len(SUFFIX)] if file.lower().endswith(SUFFIX) and len(file) > len(SUFFIX) else file


def _only_one(folder: Path) -> Path | None:
    """The model's file in a folder, the first one of a split model."""
    if any(folder.glob("*.safetensors")) or any(folder.glob("*.safetensors.index.json")):
        return None
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == SUFFIX and _PROJECTOR not in file.name)
    models = {model_name(file.name): file for file in reversed(files)}
    if len(models) > 1:
        names = ", ".join(file.name for file in sorted(models.values())[:4])
        raise ModelError(
            f"{folder.name} holds {len(models)} models as GGUF files: {names}{' …' * (len(models) > 4)}",
            hint=f"Name one of them, such as {folder}/{min(models.values()).name}.",
        )
    return next(iter(models.values()), None)


def _all_splits(file: Path) -> tuple[Path, ...]:
    """The file, or all files of the model of which it is one part."""
    split = _SPLIT.fullmatch(file.name)
    if split is None:
        return (file,)
    count = int(split["count"])
    if not 0 < count <= _MOST_SPLITS:
        raise ModelError(f"{file.name} says that it is one of {count:,} files")
    files = tuple(
        file.with_name(f"{split['stem']}-{place:05}-of-{count:05}{file.suffix}") for place in range(1, count + 1)
    )
    missing = [part.name for part in files if not part.is_file()]
    if missing:
        raise ModelError(
            f"{len(missing)} of the model's {count} files are missing: {missing[0]}", hint="Download the missing files."
        )
    return files
