"""A file that one program appends to: locked while it is open, whole after every append."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import weakref
from pathlib import Path

from explorer.base.errors import ExplorerError
from explorer.base.files import lock_open_file, sync_folder

CHUNK = 1 << 20
AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""Flag of `os.open`: a pipe without anybody at its other end is opened too (and then refused), not waited for."""


class TakenError(ExplorerError):
    """Another program writes to the file, or made it first."""


class AppendFile:
    """Bytes are added at the end, all of them or none, and are on disk when `append` returns.

    The lock ends with the process, however that ends. Where the file is removed meanwhile, the next append
    writes it again with everything that was in it. A file that was made here and is still empty when it is closed
    is removed.
    """

    def __init__(self, path: Path, *, new: bool) -> None:
        """Open and lock `path`; `new`: it must not hold anything yet.

        Raises `TakenError` where another program was faster, OSError where it cannot be opened.
        """
        self.path = path
        made = new and not os.path.lexists(path)
        self._use(_open_locked(path, os.O_CREAT if new else 0), made=made)
        if new and self.size:
            self.close()
            raise TakenError(f"{path.name}: another program began this file", "Name another file.")
        if new:
            sync_folder(path.parent)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def append(self, data: bytes) -> None:
        """Add `data` and wait for the disk; raises OSError with the file as it was before."""
        self._follow()
        size = self.size
        try:
            _write_all(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, size)  # a full disk must not leave half a line behind
            raise

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes."""
        os.ftruncate(self._descriptor, size)
        os.fsync(self._descriptor)

    def copy_to(self, path: Path) -> AppendFile:
        """A new file at `path` with the same content, locked. Raises OSError, `TakenError`."""
        copy = AppendFile(path, new=True)
        try:
            done, size = 0, self.size
            while done < size:
                piece = os.pread(self._descriptor, CHUNK, done)
                _write_all(copy._descriptor, piece)
                done += len(piece)
            os.fsync(copy._descriptor)
        except OSError:
            copy.close()
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return copy

    def close(self) -> None:
        """Give the file and its lock up; also done when nothing refers to this object any more."""
        self._release()

    def _use(self, descriptor: int, *, made: bool) -> None:
        self._descriptor = descriptor
        self._release = weakref.finalize(self, _give_up, descriptor, self.path if made else None)

    def _follow(self) -> None:
        """Make sure that the path still leads to this file."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            restored = self.copy_to(self.path)
            restored._release.detach()
            self._release()
            self._use(restored._descriptor, made=True)
            return
        mine = os.fstat(self._descriptor)
        if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            raise OSError(0, "another program replaced the file; save the session under another name")


def open_regular(path: Path, flags: int) -> int:
    """A descriptor of the file at `path`; raises OSError, also for what is no regular file (a pipe, a device)."""
    descriptor = os.open(path, flags | AT_ONCE, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def _open_locked(path: Path, flags: int) -> int:
    descriptor = open_regular(path, os.O_RDWR | os.O_APPEND | flags)
    if not lock_open_file(descriptor):
        os.close(descriptor)
        raise TakenError(
            f"{path.name}: another program is writing to this session", "Close that one, or name another file."
        )
    return descriptor


def _give_up(descriptor: int, made: Path | None) -> None:
    """Close the file; `made`: where it was made here, to be removed if nothing came of it."""
    if made is not None:
        with contextlib.suppress(OSError):
            mine, there = os.fstat(descriptor), os.lstat(made)
            if not mine.st_size and (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
                made.unlink()  # still locked: nobody has begun to write to it
    os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    done = 0
    while done < len(data):
        done += os.write(descriptor, data[done:])
