"""What was found once and is kept on disk: one SQLite file a question, each entry with its CRC-32.

A kill loses no entry once `put` has returned (a loss of power the last one at most), and damages nothing. The journal
is SQLite's rollback journal and not a write-ahead log: a log needs memory that all programs share, which a home
directory on the network does not give, and a commit takes 1 ms, after a call of a model. A file that is damaged or
that another program made is moved aside, and its questions are asked again.

Earlier versions kept files of their own format. Where there is such a file and no database yet, its entries are
carried over in the same transaction that makes the database; the old file stays as it is and is not read again.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from explorer.base.errors import ExplorerError
from explorer.base.files import free_name, lock_open_file

Entry = tuple[int | None, bytes]
"""A number and what is kept under it; None: the next free number."""
APPLICATION = 0x47584331
"""Stands in the header of each of our databases."""
PATIENCE = 10.0
"""Seconds to wait for another program's transaction."""
_ROOM = "Make room, or set XDG_CACHE_HOME to a folder that can be written."
SCHEMA = "CREATE TABLE kept (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, content BLOB NOT NULL)"
DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "SQLITE_ERROR", "SQLITE_FORMAT")
"""Names of errors that say that the file is none of ours, or not any more. All statements are constant, so that
SQLITE_ERROR too means tables that we did not make."""
REASONS = {"SQLITE_FULL": errno.ENOSPC, "SQLITE_READONLY": errno.EROFS, "SQLITE_CANTOPEN": errno.EACCES}
_log = logging.getLogger(__name__)


class ForeignError(sqlite3.DatabaseError):
    """A database of another program."""


class Cache:
    """The entries of one question; a context manager.

    To write, `is_alone` says whether no other run writes the file; those that are not alone may still write, their
    entries stand beside the others'.
    """

    def __init__(self, path: Path, carried: Callable[[], Iterable[Entry]], *, write: bool) -> None:
        """`carried` gives the entries of the file that an earlier version made; without `write` nothing is made.

        Raises `ExplorerError` where the folder cannot be written.
        """
        self.path = path
        self.note = ""
        """What was moved aside, for the user; empty where nothing was."""
        self.is_alone = False
        self._carried = carried
        self._write = write
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        if write:
            self._take_lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file and the lock back; a second time does nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self) -> list[tuple[int, bytes]]:
        """All entries that are whole, by number. Raises `ExplorerError` where the file cannot be read."""
        try:
            return self._read_or_begin_again()
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        finally:
            if not self._write:
                self.close()

    def put(self, entries: Iterable[Entry], *, instead: bool = False) -> None:
        """Add entries, or replace those of the same numbers; `instead`: of all that are there.

        Raises `ExplorerError` where the disk is full, or another program does not
        give the file free.
        """
        try:
            with self._transaction() as connection:
                if instead:
                    connection.execute("DELETE FROM kept")
                _insert(connection, entries)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _read_or_begin_again(self) -> list[tuple[int, bytes]]:
        try:
            return self._read()
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise
            _log.warning("%s: %s", self.path, error)
        return self._read() if self._move_aside() else []

    def _read(self) -> list[tuple[int, bytes]]:
        if not self._write and not self.path.exists():
            return _numbered(self._carried())
        connection = self._open()
        if not _is_ours(connection):  # begun and not committed, or empty
            return _numbered(self._carried())
        rows = connection.execute("SELECT id, crc, content FROM kept ORDER BY id").fetchall()
        return [(at, content) for at, crc, content in rows if isinstance(content, bytes) and zlib.crc32(content) == crc]

    def _open(self) -> sqlite3.Connection:
        """The connection; to write, with the table made and what earlier versions kept carried over."""
        if self._connection is None:
            place = f"{self.path.absolute().as_uri()}?mode={'rwc' if self._write else 'rw'}"
            # The steps of a run need not all come from one thread, but never from two at once.
            self._connection = sqlite3.connect(
                place, uri=True, isolation_level=None, timeout=PATIENCE, check_same_thread=False
            )
            self._connection.text_factory = bytes
            if self._write:
                self._make()
        return self._connection

    def _make(self) -> None:
        with self._transaction() as connection:
            if not _is_ours(connection):
                connection.execute(SCHEMA)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                _insert(connection, self._carried())

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite itself may have ended it, as for a full disk
                connection.execute("ROLLBACK")
            raise

    def _take_lock(self) -> None:
        """Lock a file beside the database: closing any descriptor of the database would end SQLite's own locks."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ExplorerError(f"{self.path.name} cannot be written: {error.strerror}", hint=_ROOM) from error
        self.is_alone = lock_open_file(self._lock)

    def _move_aside(self) -> bool:
        """Give the file another name; False where that cannot be done and nothing has to be written."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        name = free_name(self.path.parent, f"{self.path.name}.damaged", "").name
        self.note = f"{self.path.name} was damaged: it was moved to {name}, and what it held is found again"
        try:
            for part in ("-journal", "-wal", "-shm", ""):  # journals first, so that no new database is taken for theirs
                with contextlib.suppress(FileNotFoundError):  # another program may be doing the same
                    os.replace(f"{self.path}{part}", self.path.with_name(f"{name}{part}"))
        except OSError as error:
            self.note = f"{self.path.name} is damaged and was not read"
            if self._write:
                raise ExplorerError(
                    f"{self.path.name} is damaged and cannot be moved: {error.strerror}", hint="Remove it."
                ) from error
            return False
        finally:
            _log.warning("%s", self.note)
        return True

    def _trouble(self, error: sqlite3.Error) -> ExplorerError:
        """The error for the user."""
        name, kind = self.path.name, _kind(error)
        if kind.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return ExplorerError(f"{name} is locked by another program", hint="Wait for it or end it, then ask again.")
        if _is_damage(error):
            return ExplorerError(f"{name} is damaged: {error}", hint="Ask again: it will be moved aside.")
        if kind.startswith(("SQLITE_IOERR", "SQLITE_PROTOCOL")):  # also a file system without SQLite's locks
            return ExplorerError(f"{name}: {error}", hint="Set XDG_CACHE_HOME to a folder on a local disk.")
        number = next((number for known, number in REASONS.items() if kind.startswith(known)), None)
        reason = str(error) if number is None else os.strerror(number)
        done = "written" if self._write else "read"
        return ExplorerError(f"{name} cannot be {done}: {reason}", hint=_ROOM if self._write else "")


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether this program made the database; False where nothing is in it. Raises `ForeignError` for another's."""
    ((application,),) = connection.execute("PRAGMA application_id")
    if application == APPLICATION:
        return True
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    if application or tables:
        raise ForeignError("the database of another program")
    return False


def _insert(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    rows = ((at, zlib.crc32(content), content) for at, content in entries)
    connection.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)


def _numbered(entries: Iterable[Entry]) -> list[tuple[int, bytes]]:
    return [(number if at is None else at, content) for number, (at, content) in enumerate(entries, 1)]


def _kind(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def _is_damage(error: sqlite3.Error) -> bool:
    return isinstance(error, ForeignError) or _kind(error).startswith(DAMAGE)
