"""Whole files: a reader sees the old content or the new one, whatever happens; and one program writes a file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.base.files import lock_open_file, write_whole

REPOSITORY = Path(__file__).resolve().parents[1]
_WRITER = """
import sys
from pathlib import Path
from explorer.base.files import write_whole
print("begins", flush=True)
for number in range(100_000):
    write_whole(Path(sys.argv[1]), [b"%d " % (number % 10)] * 20_000)
"""


def test_content_is_replaced_and_the_mode_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, [b"one", b"two"])
    (tmp_path / "plain").touch()
    assert path.read_bytes() == b"onetwo"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o600)
    write_whole(path, [b"three"])
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"three", 0o600)
    write_whole(tmp_path / ("ü" * 120), [b"a name as long as can be"])
    assert len(list(tmp_path.iterdir())) == 3


def test_what_fails_in_the_middle_leaves_the_old_content(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise KeyboardInterrupt

    path = tmp_path / "file"
    for before in (None, b"before"):
        with pytest.raises(KeyboardInterrupt):
            write_whole(path, pieces())
        assert [one.read_bytes() for one in tmp_path.iterdir()] == ([] if before is None else [before])
        path.write_bytes(b"before")


def test_a_file_that_must_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    with pytest.raises(PermissionError):
        write_whole(path, [b"after"])
    assert path.read_bytes() == b"before"
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, [b"after"])


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    write_whole(Path("/dev/null"), [b"gone"])
    assert not Path("/dev/null").is_file()
    said = subprocess.run(
        [sys.executable, "-c", "from pathlib import Path; from explorer.base.files import write_whole\n"
         "write_whole(Path('/dev/stdout'), [b'said'])"], capture_output=True, cwd=REPOSITORY, check=True,
    )  # fmt: skip
    assert said.stdout == b"said"


def test_a_writer_that_is_killed_leaves_one_whole_content(tmp_path: Path) -> None:
    chance = random.Random(1)
    for run in range(6):
        path = tmp_path / str(run)
        path.write_bytes(b"0 " * 20_000)
        process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, cwd=REPOSITORY)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        content = path.read_bytes()
        assert content == content[:2] * 20_000


def test_a_lock_ends_with_its_descriptor(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert lock_open_file(first)
    assert not lock_open_file(second)
    os.close(first)
    assert lock_open_file(second)
    os.close(second)
