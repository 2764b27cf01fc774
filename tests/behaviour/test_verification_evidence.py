"""Evidence files: what was appended is read back; files of version 0.1 are read up to where a kill tore them."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from explorer.engine.answers.verification.evidence_file import HEADER, MAGIC, EvidenceFile
from explorer.engine.answers.verification.questions import Evidence
from explorer.engine.behaviour.errors import BehaviourError

DTYPE = np.dtype([("token_id", "<i4"), ("reply_ids", "<i4", (2,)), ("logprobs", "<f4", (2,))])
VOCAB = 100


def rows(*ids: int) -> Evidence:
    made = np.zeros(len(ids), dtype=DTYPE)
    made["token_id"] = ids
    made["reply_ids"][:, 0] = np.array(ids) * 7
    made["logprobs"][:, 1] = np.nan
    return made


def written(path: Path, *batches: Evidence) -> None:
    with EvidenceFile(path, DTYPE, VOCAB, write=True) as file:
        for batch in batches:
            file.append(batch)


def test_rows_are_read_back_in_the_order_asked(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "one.sqlite"
    written(path, rows(3, 9, 4), rows(50))
    with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
        assert file.has(np.arange(VOCAB)).nonzero()[0].tolist() == [3, 4, 9, 50]
        assert file.read(np.array([50, 4, 3])).tobytes() == rows(50, 4, 3).tobytes()


def old_file(path: Path, *batches: Evidence) -> bytes:
    """As version 0.1 wrote it."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(
        HEADER.pack(MAGIC, len(batch), DTYPE.itemsize, zlib.crc32(batch.tobytes())) + batch.tobytes()
        for batch in batches
    ))  # fmt: skip
    return path.read_bytes()


def test_an_old_file_cut_anywhere_keeps_its_whole_batches_and_more_are_taken(tmp_path: Path) -> None:
    batches = (rows(1, 2), rows(3), rows(4, 5))
    old = tmp_path / "cut.evidence"
    whole = old_file(old, *batches)
    ends = [len(old_file(old, *batches[:count])) for count in range(4)]
    known = [[], [1, 2], [1, 2, 3], [1, 2, 3, 4, 5]]
    for length in range(0, len(whole) + 1, 3):
        folder = tmp_path / str(length)
        folder.mkdir()
        path = folder / "cut.sqlite"
        (folder / "cut.evidence").write_bytes(whole[:length])
        expected = known[max(place for place, end in enumerate(ends) if end <= length)]
        with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
            assert file.has(np.arange(VOCAB)).nonzero()[0].tolist() == expected
            assert file.read(np.array(expected, dtype=int)).tobytes() == rows(*expected).tobytes()
        with EvidenceFile(path, DTYPE, VOCAB, write=True) as file:
            file.append(rows(60))
        with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
            assert file.has(np.arange(VOCAB)).nonzero()[0].tolist() == [*expected, 60]
        assert (folder / "cut.evidence").read_bytes() == whole[:length], "the old file stays as it is"


def test_a_flipped_bit_ends_what_is_believed_of_an_old_file(tmp_path: Path) -> None:
    old = tmp_path / "flipped.evidence"
    whole = bytearray(old_file(old, rows(1, 2), rows(3)))
    for place in range(0, len(whole), 3):
        damaged = whole.copy()
        damaged[place] ^= 1
        old.write_bytes(bytes(damaged))
        with EvidenceFile(tmp_path / "flipped.sqlite", DTYPE, VOCAB, write=False) as file:
            found = file.has(np.arange(VOCAB)).nonzero()[0].tolist()
            assert found in ([], [1, 2])
            assert file.read(np.array(found, dtype=int)).tobytes() == rows(*found).tobytes()


def test_what_is_dropped_does_not_come_back_from_an_old_file(tmp_path: Path) -> None:
    old_file(tmp_path / "one.evidence", rows(1, 2))
    path = tmp_path / "one.sqlite"
    EvidenceFile(path, DTYPE, VOCAB, write=True, fresh=True).close()
    with EvidenceFile(path, DTYPE, VOCAB, write=True) as file:
        assert not file.has(np.arange(VOCAB)).any()


def test_numbers_come_back_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "bits.sqlite"
    made = rows(*range(8))
    made["logprobs"] = np.frombuffer(bytes.fromhex("0100c07f 000080ff 00000080 01000000") * 4, "<f4").reshape(8, 2)
    written(path, made)
    with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
        assert file.read(np.arange(8)).tobytes() == made.tobytes()


def test_ids_beyond_the_vocabulary_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    written(path, rows(7), rows(90))
    with EvidenceFile(path, DTYPE, 80, write=False) as file:
        assert file.has(np.arange(80)).nonzero()[0].tolist() == [7]


def test_a_missing_file_is_an_empty_one_and_is_not_made_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
        assert not file.has(np.arange(VOCAB)).any()
        assert len(file.read(np.array([], dtype=int))) == 0
    assert not path.exists()


def test_two_sweeps_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "held.sqlite"
    with EvidenceFile(path, DTYPE, VOCAB, write=True) as first:
        with pytest.raises(BehaviourError, match="another sweep"):
            EvidenceFile(path, DTYPE, VOCAB, write=True)
        first.append(rows(1))
        with EvidenceFile(path, DTYPE, VOCAB, write=False) as reader:
            assert reader.has(np.array([1])).all()
    EvidenceFile(path, DTYPE, VOCAB, write=True).close()
