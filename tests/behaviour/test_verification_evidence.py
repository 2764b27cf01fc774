"""Evidence files: what was appended is read back; what a kill tore is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.engine.answers.verification.evidence_file import EvidenceFile
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


def written(path: Path, *batches: Evidence) -> bytes:
    with EvidenceFile(path, DTYPE, VOCAB, write=True) as file:
        for batch in batches:
            file.append(batch)
    return path.read_bytes()


def test_rows_are_read_back_in_the_order_asked(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "one.evidence"
    written(path, rows(3, 9, 4), rows(50))
    with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
        assert file.has(np.arange(VOCAB)).nonzero()[0].tolist() == [3, 4, 9, 50]
        assert file.read(np.array([50, 4, 3])).tobytes() == rows(50, 4, 3).tobytes()


def test_a_file_cut_anywhere_keeps_its_whole_batches_and_takes_more(tmp_path: Path) -> None:
    path = tmp_path / "cut.evidence"
    whole = written(path, rows(1, 2), rows(3), rows(4, 5))
    ends = [len(written(tmp_path / f"{count}.evidence", *batches)) for count, batches in
            enumerate([(), (rows(1, 2),), (rows(1, 2), rows(3)), (rows(1, 2), rows(3), rows(4, 5))])]  # fmt: skip
    known = [[], [1, 2], [1, 2, 3], [1, 2, 3, 4, 5]]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        expected = known[max(place for place, end in enumerate(ends) if end <= length)]
        with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
            assert file.has(np.arange(VOCAB)).nonzero()[0].tolist() == expected
        with EvidenceFile(path, DTYPE, VOCAB, write=True) as file:
            file.append(rows(60))
        with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
            assert file.has(np.arange(VOCAB)).nonzero()[0].tolist() == [*expected, 60]


def test_a_flipped_bit_ends_what_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "flipped.evidence"
    whole = bytearray(written(path, rows(1, 2), rows(3)))
    for place in range(0, len(whole), 3):
        damaged = whole.copy()
        damaged[place] ^= 1
        path.write_bytes(bytes(damaged))
        with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
            found = file.has(np.arange(VOCAB)).nonzero()[0].tolist()
            assert found in ([], [1, 2])
            assert file.read(np.array(found, dtype=int)).tobytes() == rows(*found).tobytes()


def test_ids_beyond_the_vocabulary_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "other.evidence"
    written(path, rows(7), rows(90))
    with EvidenceFile(path, DTYPE, 80, write=False) as file:
        assert file.has(np.arange(80)).nonzero()[0].tolist() == [7]


def test_a_missing_file_is_an_empty_one_and_is_not_made_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "none.evidence"
    with EvidenceFile(path, DTYPE, VOCAB, write=False) as file:
        assert not file.has(np.arange(VOCAB)).any()
        assert len(file.read(np.array([], dtype=int))) == 0
    assert not path.exists()


def test_two_sweeps_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "held.evidence"
    with EvidenceFile(path, DTYPE, VOCAB, write=True) as first:
        with pytest.raises(BehaviourError, match="another sweep"):
            EvidenceFile(path, DTYPE, VOCAB, write=True)
        first.append(rows(1))
        with EvidenceFile(path, DTYPE, VOCAB, write=False) as reader:
            assert reader.has(np.array([1])).all()
    EvidenceFile(path, DTYPE, VOCAB, write=True).close()
