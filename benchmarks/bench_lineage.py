"""Lineage of one child and one candidate of the zoo: asking both, and every test from their answers.

20 never-trained tokens in 4 prompts. Told apart: the prompts, the tests on answers that are there (permutations,
matching, the gate, spelling-controlled differences), and the permutations of one matrix. What needs the weights is not
counted.

    python -m benchmarks.bench_lineage [--repeats 5]
"""

from __future__ import annotations

import argparse

from benchmarks.harness import Contender, compare, table, write_section

_SETUP = """
from explorer.base.records.lineage import PROMPTS, FindLineage
from explorer.base.templates import find_template
from explorer.engine.answers.lineage.asked import Answers, ask_all, choose_matter, know, other_spelling
from explorer.engine.answers.lineage.rungs import Pair, try_rungs
from explorer.engine.answers.lineage.verdict import judge
from explorer.engine.handlers import Engine
from tests.engine_work import outcome_of
engine = Engine()
request = FindLineage(
    children=("mynah-instruct",), bases=("mynah",), templates=tuple(map(find_template, PROMPTS)), count=20
)
base, child = (
    Answers(know(name, model, outcome_of(engine.vocabularies.read(model, None)), ""), "never")
    for name in ("mynah", "mynah-instruct")
    for model in (engine.models.load(f"zoo:{name}", device="cpu"),)
)
def ask():
    matter = choose_matter(base.known, child.known, request, ())
    own = [(token_id,) for token_id in matter.candidate_tokens]
    spelled = [ids for ids in (other_spelling(base.known, token_id) for (token_id,) in own) if ids]
    for _ in ask_all([(base, own + spelled), (child, [(token_id,) for token_id in matter.child_tokens])],
                     request.templates):
        pass
    return Pair(base, child, matter, ())
"""
_PERMUTED = """
import numpy as np
from explorer.engine.core.lineage.exact import permute
matrix = np.random.default_rng(0).standard_normal(({n}, {n}))
"""

CONTENDERS = (
    Contender("one pair: asked and tested", _SETUP, "judge([try_rungs(ask(), request)], request)"),
    Contender("asked", _SETUP, "ask()"),
    Contender("tested", _SETUP + "pair = ask()\n", "judge([try_rungs(pair, request)], request)"),
    Contender("100,000 permutations of 20 tokens", _PERMUTED.format(n=20), "permute(matrix, 0, 100_000)"),
    Contender("100,000 permutations of 40 tokens", _PERMUTED.format(n=40), "permute(matrix, 0, 100_000)"),
)


def main() -> None:
    """Read the arguments, measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    body = table(compare(CONTENDERS, repeats))
    write_section("Lineage of one pair", f"Medians of {repeats}; mynah-instruct against mynah.\n\n{body}")
    print(body)


if __name__ == "__main__":
    main()
