"""Fixtures every test may use."""

from __future__ import annotations

import gc
import os
from pathlib import Path

# Threads only get in each other's way on models as small as the zoo's. Before torch is imported, here or in a child.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest

from tests import shapes
from training.real_models import MODELS

shapes.install()  # before anything of the explorer is imported

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the checkout; the test is skipped where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("../shared is not here: published references and the real small model are not tested")
    return folder


def _real_model(name: str) -> Path:
    model = MODELS[name]
    if not model.here:
        pytest.skip(
            f"{model.file} is not here, so this is not tested on a real model: make real ARGS={name} fetches it"
        )
    return model.path


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """SmolLM2-135M-Instruct (49,152 tokens, tied, chat template); the test is skipped where it was not fetched."""
    return _real_model("smollm2")


@pytest.fixture(scope="session")
def gemma_gguf() -> Path:
    """Gemma 3 270M base (262,144 tokens, tied); the test is skipped where it was not fetched."""
    return _real_model("gemma")


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's settings, sessions or caches, nor asks the network."""
    home = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def pytest_collection_finish() -> None:
    """What the imports made stays to the end: no collection in a test has to walk it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def every_shape() -> None:
    """The first calls of every function in the test are checked, whatever was called before."""
    shapes.check_anew()
