"""What is read of a model's folder: regular files only, and of each no more than a stated limit.

A library that reads a pipe, a device or two hundred megabytes of brackets cannot be stopped from outside, so this is
looked at first. Each limit is several times what the largest model known (2026) has; the settings' `limits` raises all.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from explorer.engine.models.errors import ModelError
from explorer.settings import LIMITS_VARIABLE

MIB = 1 << 20
_FILES = (
    ("*.index.json", 128 * MIB),  # Kimi K2 Thinking: 24 MB for 210,000 tensors
    ("tokenizer.json", 128 * MIB),  # Gemma 3: 33 MB for 262,144 tokens
    ("vocab.json", 128 * MIB),
    ("vocab.txt", 128 * MIB),
    ("merges.txt", 128 * MIB),
    ("tekken.json", 128 * MIB),  # Mistral: 20 MB
    ("*.model", 128 * MIB),  # SentencePiece: 5 MB
    ("added_tokens.json", 16 * MIB),
    ("special_tokens_map.json", 16 * MIB),
    (
        "*config.json",
        16 * MIB,
    ),  # Gemma 3's tokenizer_config.json: 1.2 MB; lists of modules that are not quantised: 3 MB
    ("chat_template*", 4 * MIB),
)
"""Patterns of the names of files that are read whole, and the most bytes of each; the first that fits counts."""
MOST_TOKENS = 1 << 22
"""Ids of a vocabulary, and rows of a matrix. XLM-V has a million."""
MOST_TENSORS = 1_000_000
"""Of one checkpoint. Kimi K2 Thinking has 210,000."""
MOST_LAYERS = 500
"""Llama 3.1 405B has 126. Building a thousand takes ten seconds."""
MOST_EXPERTS = 8_192
"""In one layer. Switch-C has 2,048."""
MOST_PARTS = 100_000
"""Experts in all layers. Switch-C has 30,720, Kimi K2 23,424."""
MOST_LABELS = 100_000
"""Of a classifier: transformers makes a name for each, also where the model is none. ImageNet-21k has 21,843."""
DEEPEST = 64
"""Objects and lists within each other in a JSON file. Configurations of several models in one have eight."""
_LAYERS = ("layers", "layer", "blocks", "depth")
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_READ_THERE = ("additional_chat_templates",)
"""Folders in a model's folder that are read too."""


def raised(limit: int) -> int:
    """The limit as the settings have it; raises `ModelError` where they have no number."""
    said = os.environ.get(LIMITS_VARIABLE) or "1"
    try:
        factor = float(said)
        return int(limit * factor) if factor >= 1 else limit
    except (ValueError, OverflowError) as error:
        raise ModelError(
            f"{LIMITS_VARIABLE}={said[:40]} is no number of at least 1", hint="Write 4 to raise every limit fourfold."
        ) from error


def refuse_more(count: float, limit: int, what: str) -> None:
    """Raise `ModelError` where there are more than `limit`; `what` goes before the number: 'm.json has {} tensors'."""
    if not count <= raised(limit):
        raise ModelError(
            f"{what.format(f'{count:,}'[:40])}: more than the limit of {raised(limit):,}",
            hint="A broken or hostile file? If it is meant: limits = 10 in the settings raises every limit tenfold"
            f" ({LIMITS_VARIABLE}=10 where the engine runs).",
        )


def check_file(file: Path) -> None:
    """Raise `ModelError` where something is there that is no regular file (a link to one is), or a file that is read
    whole is larger than its limit. Nothing where nothing is there, or a folder."""
    try:
        found = os.stat(file)
    except OSError as error:
        if not file.is_symlink() or isinstance(error, FileNotFoundError):  # lost, as where a download was cut short
            return
        raise ModelError(f"{file.name} in {file.parent.name} cannot be read: {error.strerror}") from error
    if (kind := next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "")) != "":
        raise ModelError(
            f"{file.name} in {file.parent.name} is {kind}, and no file", hint="Get it again, or take it away."
        )
    if (most := _most_bytes(file.name)) is not None and not stat.S_ISDIR(found.st_mode):
        refuse_more(found.st_size, most, f"{file.name} in {file.parent.name} has {{}} bytes")


def check_folder(directory: Path) -> None:
    """`check_file` of everything in a model's folder; raises `ModelError` also where it cannot be listed."""
    try:
        for file in sorted(directory.iterdir()):
            check_file(file)
            if file.name in _READ_THERE and file.is_dir():
                for inner in sorted(file.iterdir()):
                    check_file(inner)
    except OSError as error:
        raise ModelError(f"{directory} cannot be read: {error.strerror}", hint="Check its permissions.") from error


def refuse_depth(value: Any, file: Path) -> None:
    """Raise `ModelError` where a JSON file holds objects and lists too deep within each other."""
    level, depth = [value], 0
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        refuse_more(depth, DEEPEST, f"{file.name} in {file.parent.name} has {{}} lists and objects within each other")
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]


def refuse_many_parts(config: Mapping[str, Any], name: str) -> None:
    """Raise `ModelError` where a config asks for so many layers, experts or labels that making them takes hours."""
    layers, experts = _most(config, _LAYERS), _most(config, ("experts",))
    refuse_more(layers, MOST_LAYERS, f"{name} asks for {{}} layers")
    refuse_more(experts, MOST_EXPERTS, f"{name} asks for {{}} experts in a layer")
    refuse_more(_most(config, ("num_labels",)), MOST_LABELS, f"{name} asks for {{}} labels")
    refuse_more(layers * experts, MOST_PARTS, f"{name} asks for {{}} experts in all layers")


def _most(config: Mapping[str, Any], endings: tuple[str, ...]) -> float:
    """The greatest number under a key with such an ending, in a config or one within it; 0 where there is none."""
    return max(_counts(config, endings), default=0)


def _counts(config: Mapping[str, Any], endings: tuple[str, ...]) -> Iterator[float]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _counts(value, endings)
        elif isinstance(value, int | float) and str(key).endswith(endings):
            yield value


def _most_bytes(name: str) -> int | None:
    return next((most for pattern, most in _FILES if fnmatchcase(name, pattern)), None)
