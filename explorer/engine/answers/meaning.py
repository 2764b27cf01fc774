"""Texts by meaning, with a sentence-transformers model that is on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from explorer.base.errors import ExplorerError
from explorer.engine.models.checkpoints.limits import check_folder
from explorer.engine.models.filling import ONE_BUILD_AT_A_TIME
from explorer.engine.models.first_import import SENTENCES, import_heard
from explorer.engine.models.hearing import fill_heard

NEAR = 0.55
"""Cosine distance up to which groups of replies are joined (average linkage)."""


@lru_cache(maxsize=1)
def read_encoder(source: str, *, local: bool = False) -> Any:
    """The encoder of a folder or hub id; `local`: only what is on this machine. Raises `ExplorerError` where there is
    none."""
    import_heard(SENTENCES)
    from sentence_transformers import SentenceTransformer

    for folder in (Path(source), *Path(source).glob("*/")) if Path(source).is_dir() else ():
        check_folder(folder)
    try:
        with ONE_BUILD_AT_A_TIME:
            options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
            return fill_heard(lambda: SentenceTransformer(source, device="cpu", **options))
    except (OSError, ValueError) as error:
        raise ExplorerError(
            f"no sentence encoder could be read from {source!r}: {str(error).splitlines()[0]}",
            hint="Give a sentence-transformers directory, such as all-MiniLM-L6-v2's.",
        ) from error


def group_by_meaning(texts: Sequence[str], encoder: Any) -> list[int]:
    """The number of each text's group: average linkage of sentence embeddings, up to a cosine distance of `NEAR`."""
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < 2:
        return [0] * len(texts)
    from scipy.cluster.hierarchy import fcluster, linkage

    vectors = np.asarray(encoder.encode([text or " " for text in texts], normalize_embeddings=True), dtype=np.float64)
    tree = linkage(vectors, "average", metric="cosine")
    groups: list[int] = fcluster(np.maximum(tree, 0.0), t=NEAR, criterion="distance").tolist()
    return groups
