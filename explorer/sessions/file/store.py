"""The session file: JSON Lines, a header and one line per step, on disk when the outcome has arrived.

`kill -9` at any moment loses no finished step: a line is written and fsynced before the next is begun. A torn
last line (power loss) is left out by readers and cut off by a writer that continues the file, and told.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from explorer import __version__
from explorer.base.errors import ExplorerError
from explorer.base.files import free_name, replaced
from explorer.base.records.plain import dump_json
from explorer.base.records.record import Record
from explorer.base.records.unions import AnyOutcome, AnyRequest, Step
from explorer.base.sources import portable_source
from explorer.sessions.file.append_file import AppendFile, TakenError
from explorer.sessions.file.form import FORMAT, SUFFIX, Header, migrate_line
from explorer.sessions.file.portable import portable
from explorer.sessions.file.reader import DamagedError, SessionFile
from explorer.specs.registry import spec_of

__all__ = ["FORMAT", "SUFFIX", "Header", "Session", "SessionWriter", "is_recorded", "new_session_path", "now",
           "portable", "portable_source", "read_session"]  # fmt: skip


NOT_WRITTEN = "session not written: "


class Session(Record, kw_only=True):
    """A session file as read."""

    header: Header
    steps: tuple[Step, ...]
    warning: str = ""
    """What was left out, if anything."""


def now() -> str:
    """This moment, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_session_path(folder: Path) -> Path:
    """A fresh file name in `folder`, by date and time; numbered where that exists."""
    stem = datetime.now(UTC).strftime("%Y-%m-%d_%H%M%S")
    return free_name(folder, stem, SUFFIX)


def chosen_path(text: str) -> Path:
    """The session file that the user named; raises `ExplorerError` where its folder does not exist."""
    path = Path(text).expanduser()
    _need_folder(path)
    return path


def _need_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise ExplorerError(f"there is no folder {path.parent} for the session", hint="Make it, or name another file.")


class SessionWriter:
    """Appends steps to one file. A step that cannot be written is kept and tried again with the next one.

    A file that the user named is made and locked at once, any other with the first step; it stays locked until
    `close` or the end of the process. A file without a step does not outlive the writer.
    """

    def __init__(
        self,
        path: Path,
        *,
        seed: int = 0,
        versions: dict[str, str] | None = None,
        parent: str = "",
        title: str = "",
        automatic: bool = False,
    ) -> None:
        """Begin a session at `path`, or continue the one that is there.

        `parent` and `title` go into a new file's header; `automatic`: nobody chose this name, so another one is
        taken where another program is faster, and its folder is made. Raises `ExplorerError` where the file is no
        session, is damaged or cannot be made, or another program writes to it.
        """
        self.path = path
        self.trouble = ""
        """Why the last append failed; empty when all steps are on disk."""
        self.recovered = ""
        """What was done to the file to continue it, for the user; empty where it was whole."""
        self._automatic = automatic
        self._waiting: list[bytes] = []
        self._begins = True
        """Whether the header is still to be written."""
        self._next = 1
        self._file: AppendFile | None = None
        self._header = Header(
            format=FORMAT, started=now(), versions=versions or {"glitch-explore": __version__},
            platform=f"{platform.system()} {platform.machine()}", seed=seed, parent=parent, title=title,
        )  # fmt: skip
        if path.exists() and path.stat().st_size:
            self._resume()
        elif not automatic:
            self._begin()

    def use_versions(self, versions: dict[str, str]) -> None:
        """The engine's library versions, for the header; ignored once the header is on disk."""
        if self._begins:
            self._header = msgspec.structs.replace(self._header, versions=versions)

    def step(self, request: AnyRequest, outcome: AnyOutcome, seconds: float) -> Step:
        """A numbered step, not yet written."""
        step = Step(number=self._next, at=now(), seconds=round(seconds, 4), request=request, outcome=outcome)
        self._next += 1
        return step

    def append(self, *steps: Step) -> bool:
        """Write `steps` (and any that waits) to disk at once; False with `trouble` set where that fails."""
        self._waiting += [dump_json(portable(step)) for step in steps]
        return self.flush()

    def flush(self) -> bool:
        """Write what waits; False with `trouble` set where that fails."""
        lines = [dump_json(self._header), *self._waiting] if self._begins else self._waiting
        try:
            self._open().append(b"".join(line + b"\n" for line in lines))
        except (OSError, TakenError) as error:
            self.trouble = NOT_WRITTEN + _reason(error)
            return False
        self._waiting.clear()
        self._begins = False
        self.trouble = ""
        return True

    @property
    def unwritten(self) -> int:
        """How many steps are not on disk."""
        return len(self._waiting)

    def loss(self, more: int = 0) -> str:
        """What the user must hear when the program ends: the steps not on disk (with `more` from elsewhere), and
        why; empty where all are."""
        count = self.unwritten + more
        if not count:
            return ""
        said = f"{count} step{' was' if count == 1 else 's were'} not written to {self.path.name}"
        return f"{said}: {self.trouble.removeprefix(NOT_WRITTEN) or 'the disk took too long'}"

    def save_as(self, path: Path) -> None:
        """Copy the session so far to `path` and continue there; the old file stays as it is.

        Raises `ExplorerError` where `path` exists, its folder does not, or it cannot be written; the session then
        stays where it is.
        """
        if self._automatic:  # whose own folder is made with the first step
            self.path.parent.mkdir(parents=True, exist_ok=True)
        _need_folder(path)
        if path.exists() and path.stat().st_size:
            raise ExplorerError(f"{path.name} exists already", "Choose another name.")
        try:
            copy = self._file.copy_to(path) if self._file is not None else AppendFile(path, new=True)
        except OSError as error:
            raise ExplorerError(f"{path.name}: {error.strerror or error}", "Choose another place.") from error
        before = self.path, self._file, self._automatic
        self.path, self._file, self._automatic = path, copy, False
        if self._waiting and not self.flush():
            copy.close()
            path.unlink(missing_ok=True)
            self.path, self._file, self._automatic = before
            raise ExplorerError(f"{path.name}: {self.trouble}", "Choose another place.")
        if before[1] is not None:
            before[1].close()

    def close(self) -> None:
        """Give up the lock; nothing can be appended afterwards."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> AppendFile:
        if self._automatic:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        while self._file is None:
            try:
                self._file = AppendFile(self.path, new=True)
            except TakenError:
                if not self._automatic:
                    raise
                self.path = new_session_path(self.path.parent)
        return self._file

    def _begin(self) -> None:
        """Make and lock the file, so that of two programs given one name the later one is refused at once."""
        try:
            self._file = AppendFile(self.path, new=True)
        except OSError as error:
            raise ExplorerError(f"{self.path.name}: {error.strerror or error}", "Name another file.") from error

    def _resume(self) -> None:
        """Lock the file, cut a torn line off, bring an older format up to date, and continue counting."""
        try:
            self._file = AppendFile(self.path, new=False)
            self._recover(self._file)
        except OSError as error:
            raise ExplorerError(f"{self.path.name}: {error.strerror or error}", "Name another file.") from error

    def _recover(self, file: AppendFile) -> None:
        session = SessionFile(self.path).index_all()
        self._begins = session.torn_bytes == session.size
        if session.torn_bytes:
            file.cut(session.size - session.torn_bytes)
            self.recovered = f"the last line was torn ({session.torn_bytes} bytes) and was cut off; the rest is whole"
        elif not session.ends_with_newline:
            file.append(b"\n")
        if session.version < FORMAT:
            self._file = upgrade(file, session)
            self.recovered = self.recovered or f"the file was brought from format {session.version} to {FORMAT}"
        self._next = session.last_number() + 1


def upgrade(file: AppendFile, session: SessionFile) -> AppendFile:
    """Write the file again in this program's format, at once or not at all; the new one, locked. Raises OSError."""
    with replaced(file.path) as fresh:
        new = AppendFile(fresh, new=True)
        new.append(b"".join(migrate_line(line, session.version) + b"\n" for line in session.raw_lines()))
    new.path = file.path
    file.close()
    return new


def _reason(error: OSError | TakenError) -> str:
    if isinstance(error, TakenError):
        return f"{error.message}. {error.hint}"
    return error.strerror or str(error)


def is_recorded(request: AnyRequest) -> bool:
    """Whether steps of this kind stand in session files (whole vocabularies and matrices do not)."""
    return spec_of(request).recorded


def read_session(path: Path, on_step: Callable[[Step], None] | None = None) -> Session:
    """Read a whole session file at once. A torn last line is left out with a warning.

    Raises `ExplorerError` where the file is not a session, is newer than this program, or is damaged before its
    end; `explorer.sessions.file.reader.SessionFile` opens large and damaged ones.
    """
    session = SessionFile(path).index_all()
    steps: list[Step] = []
    for position in range(len(session)):
        try:
            steps.append(session.read(position))
        except DamagedError as error:
            raise ExplorerError(f"{path.name}, {error.message}", hint="The file was changed.") from error
        if on_step is not None:
            on_step(steps[-1])
    return Session(header=session.header, steps=tuple(steps), warning=session.warning)
