"""Models on the Hugging Face hub: the files that are needed, and no others, through its cache.

`HF_HUB_OFFLINE`, `HF_HOME`, `HF_TOKEN` and `HF_ENDPOINT` mean what huggingface_hub says they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from explorer.engine.models.checkpoints.architecture import named_architecture
from explorer.engine.models.checkpoints.directory import find_embeddings, read_config
from explorer.engine.models.checkpoints.pickled_files import PICKLE_INDEX
from explorer.engine.models.checkpoints.weight_files import INDEX, SafetensorsFiles, read_weight_map
from explorer.engine.models.errors import ModelError
from explorer.engine.models.source import Located, Progress, Source

_SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "tekken.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece*.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    INDEX,
)
_SAFETENSORS = ("model.safetensors",)
_PICKLES = ("pytorch_model*.bin", PICKLE_INDEX)


def download(source: Source, *, allow_pickle: bool = False, progress: Progress | None = None) -> Located:
    """The snapshot of a hub model in the cache, with what is missing downloaded; `progress` counts bytes.

    A `weights:` source takes only the shards that hold the embedding matrices. Raises `ModelError` where the
    model is unknown, gated, has no safetensors weights, or the hub cannot be reached and it is not cached.
    """
    directory = download_small_files(source, progress)
    if (directory / INDEX).is_file():
        files = _files_in(directory / INDEX)
        if source.weights_only:
            weights = SafetensorsFiles(directory)
            names = find_embeddings(named_architecture(read_config(directory)), weights.names, needs_head=False)
            files = sorted({escape(weights.file_of(name)) for name in names.needed})
        _snapshot(source, files, progress)
    else:
        _snapshot(source, _SAFETENSORS, progress)
        if allow_pickle and not any(directory.glob("*.safetensors")):
            _snapshot(source, _PICKLES, progress)
            if (directory / PICKLE_INDEX).is_file():
                _snapshot(source, _files_in(directory / PICKLE_INDEX), progress)
    if not any(file.suffix in (".safetensors", ".bin") for file in directory.iterdir()):
        if "gguf" in source.place.lower():
            raise ModelError(
                f"{source.place} has no safetensors weights on the hub, and seems to hold GGUF files",
                hint=f"Download one of them (hf download {source.place} FILE.gguf) and give its path.",
            )
        raise ModelError(
            f"{source.place} has no safetensors weights on the hub",
            hint="Its pickled weights, if any, are read with --allow-pickle (tensors only, no code).",
        )
    return Located(directory, revision=directory.name)


def download_small_files(source: Source, progress: Progress | None = None) -> Path:
    """The snapshot's directory with the configuration, the tokenizer and the index of the weights in it."""
    return _snapshot(source, _SMALL_FILES, progress)


def _files_in(index: Path) -> list[str]:
    """The files that an index of weights names, as patterns."""
    return sorted({escape(file) for file in read_weight_map(index).values()})


def _snapshot(source: Source, patterns: Sequence[str], progress: Progress | None) -> Path:
    """The snapshot's directory, with the files that match `patterns` in it."""
    try:
        directory: str = snapshot_download(
            source.place,
            revision=source.revision or None,
            allow_patterns=list(patterns),
            tqdm_class=reporting_bar(progress),
        )
    except GatedRepoError as error:
        raise ModelError(
            f"{source.place} is gated: its owner decides who may download it",
            hint=f"Ask for access at https://huggingface.co/{source.place}, then log in with `hf auth login`.",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{source.place} has no revision {source.revision!r}", hint="Check the revision.") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(
            f"the hub has no model {source.place!r}, or it is private",
            hint="Check the spelling; a local directory is written ./name; a private model needs `hf auth login`.",
        ) from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{source} is not in the cache and the hub cannot be reached (or HF_HUB_OFFLINE is set)",
            hint="Go online once to download it, or give a local directory. zoo:mynah needs no network.",
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"downloading {source.place} failed: {' '.join(str(error).split())[:300]}",
            hint="Try again: what has arrived is kept. Is the disk full?",
        ) from error
    return Path(directory)


def reporting_bar(progress: Progress | None) -> type[Any]:
    """A progress bar class for huggingface_hub that draws nothing and tells `progress` the bytes written."""

    class ReportingBar(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            # of the bars of a snapshot (files, bytes received, bytes written) only the last counts what is kept
            self._reports = options.get("unit") == "B" and "Download" not in str(options.get("desc"))
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0  # a disabled bar does not count
            if self._reports and progress is not None and self.total:
                progress(int(min(self.n, self.total)), int(self.total), "bytes downloaded")
            return None

    return ReportingBar
