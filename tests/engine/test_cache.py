"""The caches' databases: kills, two writers, damage, a disk that is full; and what earlier versions left behind."""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from explorer.base.errors import ExplorerError
from explorer.engine.answers import cache as caching
from explorer.engine.answers.cache import Cache, Entry

REPOSITORY = Path(__file__).resolve().parents[2]


def opened(path: Path, carried: Iterable[Entry] = (), *, write: bool = True) -> Cache:
    return Cache(path, lambda: carried, write=write)


def entries(path: Path, carried: Iterable[Entry] = ()) -> list[tuple[int, bytes]]:
    return opened(path, carried, write=False).load()


def written(path: Path, *found: Entry) -> Path:
    with opened(path) as cache:
        cache.put(found)
    return path


def test_entries_come_back_by_number_and_a_later_one_counts(tmp_path: Path) -> None:
    path = written(tmp_path / "folder" / "one.sqlite", (7, b"seven"), (3, b"three"))
    written(path, (7, b"again"), (None, b"\x00\xff"))
    assert entries(path) == [(3, b"three"), (7, b"again"), (8, b"\x00\xff")]
    with opened(path) as cache:
        cache.put([(1, b"only")], instead=True)
        assert cache.load() == [(1, b"only")]
        assert cache.note == ""


def test_a_missing_file_is_an_empty_one_and_is_not_made_by_reading(tmp_path: Path) -> None:
    assert entries(tmp_path / "none.sqlite") == []
    (tmp_path / "empty.sqlite").touch()  # as a kill before the first commit leaves it
    assert entries(tmp_path / "empty.sqlite", [(1, b"carried")]) == [(1, b"carried")]
    assert [path.name for path in tmp_path.iterdir()] == ["empty.sqlite"]


def test_the_entries_of_earlier_versions_are_carried_over_once(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite"
    assert entries(path, [(5, b"old")]) == [(5, b"old")]
    assert not path.exists(), "reading makes nothing"
    with opened(path, [(5, b"old")]) as cache:
        assert cache.load() == [(5, b"old")]
        cache.put([(6, b"new")])
    assert entries(path, [(9, b"not read again")]) == [(5, b"old"), (6, b"new")]
    with opened(path, [(9, b"not read again")]) as cache:
        cache.put([], instead=True)
        assert cache.load() == []


# ── kills ─────────────────────────────────────────────────────────────────────────────────────────────────

_WRITER = """
import sys
import time
from pathlib import Path
from explorer.engine.answers.cache import Cache
with Cache(Path(sys.argv[1]), lambda: [(1, b"carried" * 1000)], write=True) as cache:
    print(cache.is_alone, flush=True)
    for number in range(2, 100_000):
        cache.put([(number, b"%d" % number * 500), (100_000 + number, b"second of the two")])
        print(number, flush=True)
        time.sleep(float(sys.argv[2]))
"""


def start_writer(path: Path, rest: float = 0.0) -> subprocess.Popen[str]:
    """A process that writes and writes, with `rest` seconds between two transactions."""
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), str(rest)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )


def test_no_kill_loses_what_was_put_or_splits_it(tmp_path: Path) -> None:
    chance = random.Random(1)
    for run in range(8):
        path = tmp_path / f"{run}.sqlite"
        process = start_writer(path)
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        time.sleep(chance.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        said = [int(line) for line in process.stdout.read().splitlines()]
        process.wait()
        carried = [(1, b"carried" * 1000)]
        found = dict(entries(path, carried))
        numbers = [number for number in found if number < 100_000]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(said) <= len(numbers) - 1 <= len(said) + 1
        assert all(number == 1 or 100_000 + number in found for number in numbers), "both of a put or none"
        with opened(path, carried) as cache:  # the lock ended with the process
            assert cache.is_alone
            cache.put([(0, b"after")])
            assert cache.load() == [(0, b"after"), *found.items()]
            assert cache.note == ""


# ── two at once ───────────────────────────────────────────────────────────────────────────────────────────


def test_two_programs_lose_nothing_of_each_other_and_know_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "shared.sqlite"
    process = start_writer(path, rest=0.01)  # no run writes without a rest, in which the other gets its turn
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    with opened(path, [(1, b"carried" * 1000)]) as cache:
        assert not cache.is_alone
        for number in range(-20, 0):
            cache.put([(number, b"ours")])
        said = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        found = dict(cache.load())
    assert set(range(-20, 0)) | {1, *said} <= set(found)


def test_a_database_that_another_program_does_not_release_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "PATIENCE", 0.01)
    path = written(tmp_path / "held.sqlite", (1, b"one"))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with opened(path) as cache, pytest.raises(ExplorerError, match=r"held\.sqlite is locked") as raised:
        cache.put([(2, b"two")])
    assert raised.value.hint
    with pytest.raises(ExplorerError, match="locked"):
        entries(path)
    holder.execute("ROLLBACK")
    holder.close()
    assert entries(path) == [(1, b"one")]


# ── damage, and the disk ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("damage", ["text", "torn", "header", "foreign", "tables"])
def test_a_damaged_or_foreign_file_is_moved_aside_and_said(tmp_path: Path, damage: str, write: bool) -> None:
    path = written(tmp_path / "one.sqlite", *((number, b"x" * 900) for number in range(40)))
    whole = path.read_bytes()
    if damage in ("foreign", "tables"):
        path.unlink(missing_ok=damage == "foreign")
        path.write_bytes(whole if damage == "tables" else b"")
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE theirs (a)" if damage == "foreign" else "DROP TABLE kept")
        other.close()
    else:
        path.write_bytes(
            {"text": b"hello" * 1000, "torn": whole[: len(whole) // 2], "header": b"\1" + whole[1:]}[damage]
        )
    spoilt = path.read_bytes()
    with opened(path, [(1, b"carried")], write=write) as cache:
        assert cache.load() == [(1, b"carried")], "what earlier versions kept is carried over again"
        assert "one.sqlite.damaged" in cache.note
        if write:
            cache.put([(2, b"anew")])
    assert (tmp_path / "one.sqlite.damaged").read_bytes() == spoilt
    assert entries(path, [(1, b"carried")]) == [(1, b"carried"), (2, b"anew")][: 1 + write]


def test_a_flipped_bit_gives_no_wrong_entry(tmp_path: Path) -> None:
    path = written(tmp_path / "flipped.sqlite", *((number, b"%d" % number * 50) for number in range(60)))
    true, whole = dict(entries(path)), bytearray(path.read_bytes())
    chance = random.Random(2)
    for place in chance.sample(range(len(whole)), 300):
        damaged = whole.copy()
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(damaged))
        found = entries(path)
        path.unlink(missing_ok=True)
        assert all(content in true.values() for _, content in found)


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "full.sqlite", (1, b"one"))
    with opened(path) as cache:
        cache.load()
        assert cache._connection is not None
        cache._connection.execute("PRAGMA max_page_count = 3")
        with pytest.raises(ExplorerError, match=r"full\.sqlite cannot be written: No space left") as raised:
            cache.put([(2, b"x" * 100_000)])
        assert raised.value.hint.startswith("Make room, or set XDG_CACHE_HOME")
        cache.put([(3, b"small")])
    assert entries(path) == [(1, b"one"), (3, b"small")]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "one.sqlite", (1, b"one"))

    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ExplorerError, match=r"one\.sqlite cannot be written: Read-only file system"):
        opened(path)
    assert entries(path) == [(1, b"one")]
    monkeypatch.undo()
    path.parent.joinpath("file").touch()
    with pytest.raises(ExplorerError, match="cannot be written"):
        opened(tmp_path / "file" / "one.sqlite")


def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "one.sqlite", (1, b"one"))

    def refuse(*_: object, **__: object) -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_LOCK"
        raise error

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(ExplorerError, match=r"one\.sqlite: disk I/O error") as raised:
        entries(path)
    assert "XDG_CACHE_HOME" in raised.value.hint
    assert path.exists(), "it is not taken for damage"
