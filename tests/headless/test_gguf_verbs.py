"""GGUF files on the command line: the quantisation is told with every answer, and sessions hold no path."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGMLQuantizationType as Kind

from explorer.base.records.models import ModelLoaded
from explorer.sessions.file.store import read_session
from tests.direct_client import Run
from tests.models import gguf_samples as samples
from tests.models.conftest import byte_level_tokenizer

ROWS = 320
TOLD = "quantised weights (embeddings Q8_0, blocks Q4_1)"


@pytest.fixture
def quantised(tmp_path: Path) -> Path:
    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True))
    kinds = {name: Kind.Q4_1 if name.startswith("blk") else Kind.Q8_0 for name in tensors if tensors[name].ndim > 1}
    metadata = samples.byte_level_metadata(byte_level_tokenizer(), ROWS) | samples.LLAMA_METADATA
    folder = tmp_path / "my models"
    folder.mkdir()
    return samples.write_gguf(folder / "little.Q4_1.gguf", tensors, metadata, kinds=kinds)


def test_every_verb_tells_the_quantisation(run: Run, quantised: Path, tmp_path: Path) -> None:
    session = tmp_path / "session.jsonl"
    asked = {
        "tokens": (),
        "inspect": ("--token", " the"),
        "neighbours": ("--token", " the"),
        "map": ("--token", " the"),
        "repeat": ("--token", " the"),
        "logprobs": ("--prompt", "the mynah"),
    }
    for verb, named in asked.items():
        status, (shown,), said = run(verb, str(quantised), *named, "--session", str(session), as_json=False)
        assert status == 0, said
        assert f"little.Q4_1: {TOLD}" in said
        if verb == "tokens":
            assert f"{TOLD}, dequantised for every number" in shown["text"]
        if verb == "inspect":
            assert "quantised: embeddings Q8_0, blocks Q4_1" in shown["text"]
    loaded = next(step.outcome for step in read_session(session).steps if isinstance(step.outcome, ModelLoaded))
    assert (loaded.info.source, loaded.info.quantisation) == ("…/little.Q4_1.gguf", TOLD[19:-1])
    assert "my models" not in session.read_text()


def test_json_carries_it_too(run: Run, quantised: Path) -> None:
    status, rows, said = run("inspect", f"weights:{quantised}", "--token", " the")
    assert (status, rows[0]["quantisation"]) == (0, "embeddings Q8_0, blocks Q4_1")
    assert f"little.Q4_1(weights): {TOLD}" in said
    _, _, quiet = run("inspect", f"weights:{quantised}", "--token", " the", "--quiet")
    assert quiet == ""


def test_a_file_that_is_none_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    status, rows, said = run("tokens", str(tmp_path / "a.gguf"))
    assert (status, rows) == (1, [])
    assert said.count("\n") == 1
    assert "a.gguf is cut short or broken" in said
