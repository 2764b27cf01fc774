"""What was computed of files that have not changed since, kept on disk so that the next start need not do it again.

One file each in the user's cache, written whole, with its CRC-32 before it; the least recently used go first. What
cannot be read or written is computed anew: nothing here ever fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import msgspec
from platformdirs import user_cache_path

from explorer import __version__
from explorer.base.files import write_whole

FEW = 1 << 14
"""Tokens of a vocabulary that is read and measured in so short a time that nothing of it is kept."""
KEPT_FILES = 64
"""Of each kind; a vocabulary of 262k tokens takes 14 MB."""
_LIBRARIES = ("torch", "transformers", "tokenizers", "gguf")
_FORMAT = 1
_CRC_BYTES = 4
_log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=msgspec.Struct)


def fingerprint(places: Iterable[Path], facts: Iterable[object]) -> str:
    """One key for files as they stand (names, sizes and times of change, not content: as make and rsync do it), for
    what is asked of them, and for the programs that read them. A folder counts with the files right in it."""
    versions = [_FORMAT, __version__, *map(version, _LIBRARIES)]
    content = hashlib.sha256(repr([versions, *facts]).encode())
    for place in places:
        for file in sorted(place.iterdir()) if place.is_dir() else [place]:
            if file.is_file():
                state = file.stat()
                content.update(repr((str(file.absolute()), state.st_size, state.st_mtime_ns)).encode())
    return content.hexdigest()[:32]


def recall(what: str, key: str, kind: type[Kind]) -> Kind | None:
    """What was kept under the key; None where nothing was, or it is damaged."""
    path = _path(what, key)
    try:
        content = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    crc, packed = content[:_CRC_BYTES], memoryview(content)[_CRC_BYTES:]
    if zlib.crc32(packed).to_bytes(_CRC_BYTES, "little") != crc:
        _log.warning("%s is damaged and was not read", path)
        return None
    try:
        return msgspec.msgpack.decode(packed, type=kind)
    except msgspec.DecodeError as error:
        _log.warning("%s: %s", path, error)
        return None


def remember(what: str, key: str, thing: msgspec.Struct, most: int | None = None) -> None:
    """Keep it under the key, in the place of what is there; of its kind `most` files, `KEPT_FILES` where none
    is given."""
    packed = msgspec.msgpack.encode(thing)
    path = _path(what, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, [zlib.crc32(packed).to_bytes(_CRC_BYTES, "little"), packed])
        _forget_oldest(path.parent, KEPT_FILES if most is None else most)
    except OSError as error:
        _log.warning("%s was not kept: %s", path, error)


def forget(what: str, key: str) -> None:
    """Keep it no longer."""
    with contextlib.suppress(OSError):
        _path(what, key).unlink()


def _forget_oldest(folder: Path, most: int) -> None:
    files = sorted(folder.glob("*.msgpack"), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-most]:
        with contextlib.suppress(FileNotFoundError):  # another program may be doing the same
            file.unlink()


def _path(what: str, key: str) -> Path:
    return user_cache_path("glitch-explore") / what / f"{key}.msgpack"
