"""Which sessions there are: the user's recent ones and the samples that come with the program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from explorer.base.errors import ExplorerError
from explorer.sessions.file.form import SUFFIX
from explorer.sessions.file.reader import SessionFile


@dataclass(frozen=True)
class Listed:
    """One session file, for a list."""

    path: Path
    title: str
    started: str
    size: int
    """Bytes."""
    steps: int | None
    """None where the file is too large to count in an instant."""
    problem: str = ""
    """Why it cannot be opened, if it cannot."""


def sessions_in(folder: Path, limit: int | None = None) -> tuple[Listed, ...]:
    """The session files in `folder`, those written to last first; at most `limit`. No folder, no sessions."""
    try:
        files = [(path.stat().st_mtime, path) for path in folder.glob(f"*{SUFFIX}") if path.is_file()]
    except OSError:
        return ()
    files.sort(key=lambda entry: (-entry[0], entry[1].name))
    return tuple(_listed(path) for _, path in files[:limit])


def samples_folder() -> Path:
    """The folder of the sample sessions: inside the installed package, or the checkout's `sample_sessions/`."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "sample_sessions"
    return packaged if packaged.is_dir() else package.parent / "sample_sessions"


def sample_sessions() -> tuple[Listed, ...]:
    """The sample sessions, by name."""
    return tuple(sorted(sessions_in(samples_folder()), key=lambda listed: listed.path.name))


def latest_session(folder: Path) -> Path:
    """The session in `folder` that was written to last. Raises `ExplorerError` where there is none."""
    for listed in sessions_in(folder, limit=20):
        if not listed.problem:
            return listed.path
    raise ExplorerError("no session was recorded yet", "Name a session file: --resume FILE.")


def find_session(name: str) -> Path:
    """The session file that `name` means: a path, or the name of a sample. Raises `ExplorerError`."""
    path = Path(name).expanduser()
    if path.exists():
        return path
    sample = samples_folder() / f"{path.name.removesuffix(SUFFIX)}{SUFFIX}"
    if path.parent == Path() and sample.is_file():
        return sample
    known = ", ".join(listed.path.stem for listed in sample_sessions())
    hint = f"Name a session file, or a sample: {known}." if known else "Name a session file."
    raise ExplorerError(f"there is no session {name}", hint)


def _listed(path: Path) -> Listed:
    try:
        session = SessionFile(path)
    except ExplorerError as error:
        return Listed(path, "", "", path.stat().st_size if path.exists() else 0, None, error.message)
    try:
        steps = len(session) if session.complete else None
        return Listed(path, session.header.title, session.header.started, session.size, steps)
    finally:
        session.close()
