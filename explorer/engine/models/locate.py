"""The local directory or GGUF file that a source stands for: in the zoo, on the disk, or downloaded from the hub."""

from __future__ import annotations

from pathlib import Path

from explorer.engine.models.checkpoints.gguf_place import SUFFIX
from explorer.engine.models.errors import ModelError
from explorer.engine.models.source import Located, Progress, Source, TokenizerChoice, parse_source
from explorer.zoo import DESCRIPTIONS, zoo_dir


def locate_tokenizer(text: str, day: str = "", progress: Progress | None = None) -> TokenizerChoice:
    """The tokenizer that a source string names (empty: the model's own); of a model on the hub only the small files
    are downloaded. Raises `ModelError` as `locate` does."""
    if not text:
        return TokenizerChoice(day=day)
    source = parse_source(text)
    if source.kind != "hub":
        return TokenizerChoice(str(source), locate(source).directory, day)
    from explorer.engine.models.checkpoints.hub import download_small_files

    return TokenizerChoice(str(source), download_small_files(source, progress), day)


def locate(source: Source, *, allow_pickle: bool = False, progress: Progress | None = None) -> Located:
    """The local directory or GGUF file of `source`, downloaded where it is on the hub and not in the cache.

    Raises `ModelError` for an unknown zoo name, a missing path, and whatever keeps a download from
    happening. What lies in the directory is not looked at here.
    """
    if source.kind == "zoo":
        if source.place not in DESCRIPTIONS:
            raise ModelError(f"the zoo has no {source.place!r}", hint=f"It has: {', '.join(DESCRIPTIONS)}.")
        return Located(zoo_dir(source.place))
    if source.kind == "hub":
        from explorer.engine.models.checkpoints.hub import download  # huggingface_hub is needed for nothing else

        return download(source, allow_pickle=allow_pickle, progress=progress)
    directory = Path(source.place)
    if not directory.exists():
        kind = "file" if directory.suffix.lower() == SUFFIX else "directory"
        raise ModelError(f"there is no {kind} {directory}", hint="Check the path; a hub id has the form org/name.")
    return Located(directory)
