"""Indicators of a whole vocabulary: ours against the formulas of magikarp, time and peak memory.

The other side is written afresh here after `embedding_distance_metrics` of github.com/cohere-ai/magikarp: the
whole matrix as float32 in NumPy, scikit-learn's PCA for the first component. Both sides compute the input norm
and the four `unused_…` indicators of a tied matrix; ours computes the three centroid ones besides.

    python -m benchmarks.bench_indicators [--small] [--repeats 3]
"""

from __future__ import annotations

import argparse

from benchmarks.harness import Contender, compare, table, write_section

_MATRIX = """
import torch
# Off-centre and with variances that fall off like those of a language model's embeddings.
def made(vocab, width, dtype):
    matrix = torch.empty(vocab, width, dtype=dtype)
    scale, middle = torch.arange(1, width + 1) ** -0.5, 0.05 * torch.ones(width)
    generator = torch.Generator().manual_seed(0)
    for start in range(0, vocab, 4096):
        rows = matrix[start : start + 4096]
        rows.copy_(torch.randn(rows.shape, generator=generator) * scale + middle)
    return matrix
matrix, unused = made({vocab}, {width}, torch.{dtype}), list(range(100, 113))
"""

_OURS = Contender(
    name="glitch-explore",
    setup="""
from explorer.engine.core.indicators import all_indicators
from explorer.engine.models.abilities import Embeddings
model = Embeddings(input=matrix, output=matrix, output_bias=None, tied=True)
""",
    work="found = all_indicators(model, unused, len(matrix))",
)

_MAGIKARP = Contender(
    name="magikarp's formulas",
    setup="""
import numpy as np
from sklearn.decomposition import PCA
def to_direction(table, vector):
    lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(vector)
    return 1 - table @ vector / np.maximum(lengths, 1e-6)
""",
    work="""
table = matrix.float().numpy()
axis = PCA(n_components=1).fit(table).components_[0]
flattened = table - np.outer(table @ axis, axis)
centred = table - table.mean(axis=0)
reference = table[unused].mean(axis=0)
found = [
    np.linalg.norm(table, axis=1),
    to_direction(table, reference),
    to_direction(flattened, flattened[unused].mean(axis=0)),
    to_direction(centred, centred[unused].mean(axis=0)),
    np.linalg.norm(table - reference, axis=1),
]
""",
)


def run(vocab: int, width: int, dtype: str, repeats: int) -> None:
    """Compare on one matrix, print and write the result."""
    matrix = _MATRIX.format(vocab=vocab, width=width, dtype=dtype)
    contenders = [Contender(side.name, matrix + side.setup, side.work) for side in (_OURS, _MAGIKARP)]
    body = table(compare(contenders, repeats))
    title = f"Indicators of a {vocab:,} x {width:,} {dtype} matrix"
    write_section(title, f"Medians of {repeats}.\n\n{body}")
    print(f"{title}\n{body}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="leave out the matrix of 1 GiB")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    run(50_257, 768, "float32", arguments.repeats)
    if not arguments.small:
        run(262_144, 2_048, "bfloat16", arguments.repeats)


if __name__ == "__main__":
    main()
