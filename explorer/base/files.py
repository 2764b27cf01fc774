"""Files that are written whole or not at all, and the lock of a file that one program writes."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Put `pieces` into the file at `path`; a reader sees the old content or the new one, never a part.

    What is not a regular file (a pipe, /dev/stdout) is written to directly. Raises OSError, and whatever `pieces`
    raises, with the old file as it was.
    """
    if path.exists() and (not path.is_file() or path.is_relative_to("/dev")):
        with path.open("wb") as device:
            device.writelines(pieces)
        return
    with replaced(path) as fresh, fresh.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, which takes its name and mode when the block ends and is removed where it fails.

    The block puts the content on the disk. What a link leads to is replaced, and not the link. Raises OSError, also
    for a file that must not be written.
    """
    target = path.resolve()
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    fresh = target.with_name(f".{target.name[:40]}.{os.urandom(4).hex()}.new")
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        if target.exists():
            shutil.copymode(target, fresh)
        yield fresh
        fresh.replace(target)
    except BaseException:  # whatever ends it, an interrupt too, must not leave the file there
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(target.parent)


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """The first of `stem.suffix`, `stem-2.suffix`, … that `folder` does not hold."""
    names = (folder / f"{stem}{number}{suffix}" for number in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(path for path in names if not path.exists())


def sync_folder(folder: Path) -> None:
    """A new file's name must survive a power loss too; file systems that cannot sync a folder need not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def lock_open_file(descriptor: int) -> bool:
    """Lock an open file for this program without waiting; False where another program (or descriptor) holds it.

    The lock ends when the descriptor is closed, however the program ends. True without a lock on a file system
    that has none (some network ones), and on Windows, where the lock would keep others from reading the file.
    """
    if sys.platform == "win32":
        return True
    from filelock import lock_descriptor  # takes 20 ms, and the first paint needs no lock

    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError:
        return True
