"""What can be loaded without the network: the zoo, and what the hub's cache on this machine holds."""

from __future__ import annotations

from collections.abc import Collection

from huggingface_hub import CacheNotFound, scan_cache_dir

from explorer.base.records.models import CatalogueEntry
from explorer.zoo import DESCRIPTIONS, zoo_dir


def local_models(loaded: Collection[str] = ()) -> tuple[CatalogueEntry, ...]:
    """The zoo first, then the hub cache by name; `loaded` are the sources in the roster."""
    entries = [
        CatalogueEntry(
            source=f"zoo:{name}",
            origin="zoo",
            description=description,
            size_bytes=sum(file.stat().st_size for file in zoo_dir(name).glob("*") if file.is_file()),
            loaded=f"zoo:{name}" in loaded,
        )
        for name, description in DESCRIPTIONS.items()
        if zoo_dir(name).is_dir()
    ]
    return (*entries, *_cached(loaded))


def _cached(loaded: Collection[str]) -> list[CatalogueEntry]:
    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return []
    return [
        CatalogueEntry(
            source=repository.repo_id,
            origin="hub cache",
            size_bytes=repository.size_on_disk,
            loaded=repository.repo_id in loaded,
        )
        for repository in sorted(repositories, key=lambda repository: repository.repo_id)
        if repository.repo_type == "model"
    ]
