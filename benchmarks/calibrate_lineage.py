"""How often lineage errs, where it is known which model came from which: the long form of its tests in tests/engine.

    python -m training.strangers DIR       once, about a quarter of an hour: strangers that are not shipped
    python -m benchmarks.calibrate_lineage DIR [--seeds 10]

Four parts. *Pairing*: every child, raw and in its chat format, against the plain bases of two tokenizers. *None*: the
same without its family. *Uniform*: p of strangers on disjoint sets of tokens that neither was trained on. *Across
tokenizers*: twelve pairs of strangers, both ways. What was never trained is known of all models here: the zoo's cards,
and the ground truth that the strangers' training wrote.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.harness import write_section
from explorer.base.records.lineage import PROMPTS, FindLineage, LineagePair
from explorer.base.records.repeat_back import Chat
from explorer.base.templates import find_template
from explorer.engine.answers.lineage.asked import Answers, Known, ask_all, choose_matter, know, other_spelling
from explorer.engine.answers.lineage.kept import KeptAnswers
from explorer.engine.answers.lineage.rungs import Pair, Tested, summed, try_rungs
from explorer.engine.answers.lineage.verdict import judge
from explorer.engine.core.lineage import exact
from explorer.engine.core.lineage.rows import compare_rows
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import has_weights, running
from explorer.zoo import zoo_names
from tests.engine_work import outcome_of

PARENTS = {"mynah-instruct": "mynah", "lyrebird-instruct": "lyrebird", "inst-a": "base-a", "inst-b": "base-b"}
BASES = ("mynah", "lyrebird", "starling", "base-a", "base-b")
FAMILIES = (*BASES, "null-1", "null-2")
ACROSS = [(one, other) for one in ("mynah", "lyrebird", "starling") for other in ("inst-a", "inst-b")]
FORMATS: tuple[Chat, ...] = ("never", "auto")
PAIRING_SEEDS = 5
SET, DRAWS = 8, 999
"""Tokens and permutations of one test of uniformity."""
TEMPLATES = tuple(map(find_template, PROMPTS))
FEWER = (find_template("word-is"), find_template("glitchminer"))


class Menagerie:
    """The models with what is known of them, each loaded once; what they said is kept."""

    def __init__(self, strangers: Path) -> None:
        self._engine, self._strangers = Engine(), strangers
        self._known: dict[str, Known] = {}
        self._said = KeptAnswers()

    def answers(self, name: str, chat: Chat = "never") -> Answers:
        """What a model of the zoo, or of the strangers, said so far."""
        if name not in self._known:
            self._known[name] = self._learn(name)
        known = self._known[name]
        return Answers(known, chat, self._said.of(known.model, chat))

    def rows(self, name: str) -> np.ndarray:
        """Its embeddings, float32 [vocab, d_model]."""
        model = self._known[name].model
        assert has_weights(model)
        rows: np.ndarray = model.embeddings().input.float().numpy()
        return rows

    def _learn(self, name: str) -> Known:
        source = f"zoo:{name}" if name in zoo_names() else str(self._strangers / name)
        model = running(self._engine.models.load(source, device="cpu"))
        known = know(name, model, outcome_of(self._engine.vocabularies.read(model, None)))
        return known if known.certain else _told(known, self._strangers / name)


def _told(known: Known, folder: Path) -> Known:
    """With the ground truth of its training in place of a card."""
    truth = json.loads((folder / "ground_truth.json").read_text(encoding="utf-8"))
    never = frozenset(entry["token_id"] for entry in truth["withheld"])
    little = frozenset(token_id for ids in truth["under_trained"].values() for token_id in ids)
    return replace(known, never=never, certain=True, unfit=known.unfit | never | little)


def prepare(models: Menagerie, child: str, base: str, request: FindLineage) -> Pair:
    """A pair, asked about all that its tests need."""
    one, other = models.answers(base), models.answers(child, request.chat)
    matter = choose_matter(one.known, other.known, request, ())
    own = [(each,) for each in matter.candidate_tokens]
    spelled = [ids for (each,) in own if (ids := other_spelling(one.known, each))]
    wanted: list[tuple[Answers, Sequence[tuple[int, ...]]]] = [(one, [*own, *spelled])]
    wanted.append((other, [(each,) for each in matter.child_tokens]))
    for _ in ask_all(wanted, request.templates):
        pass
    return Pair(one, other, matter, ())


def p_of(statistic: str, pair: Pair, request: FindLineage) -> float:
    """As B1 tells it."""
    matrix = summed(statistic, pair, request)
    permuted, matched = exact.permute(matrix, request.seed), exact.match(matrix, request.seed)
    return 1.0 if permuted is None or matched is None else exact.combine(permuted.p, matched.p)


# ── pairing, and none of these ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Run:
    """One child in one format with the tokens of one seed, against every base."""

    child: str
    request: FindLineage
    tested: dict[str, Tested]

    @property
    def parent(self) -> str:
        """The base that it came from."""
        return PARENTS[self.child]

    def judged(self, *, without_family: bool = False) -> list[LineagePair]:
        """The verdicts."""
        kept = [each for base, each in self.tested.items() if not (without_family and base == self.parent)]
        return judge(kept, self.request)

    def p(self, statistic: str) -> float:
        """Of the parent, before Holm's adjustment."""
        return p_of(statistic, self.tested[self.parent].pair, self.request)


def run_child(models: Menagerie, child: str, chat: Chat, seed: int, count: int = 20) -> Run:
    """Ask and test."""
    request = FindLineage(children=(child,), bases=BASES, templates=TEMPLATES, chat=chat, seed=seed, count=count)
    return Run(child, request, {base: try_rungs(prepare(models, child, base, request), request) for base in BASES})


def tell_pairing(runs: Sequence[Run], tokens: int) -> str:
    """How many found their base alone, and the worst p of the parent by each statistic."""
    alone = sum([each.candidate for each in run.judged() if each.verdict == "related"] == [run.parent] for run in runs)
    holm = [each.p_holm for run in runs for each in run.judged() if each.candidate == run.parent]
    worst = {name: max(run.p(name) for run in runs) for name in ("r", "top-20", "top-5")}
    said = ", ".join(f"{name} {p:.1e}" for name, p in worst.items())
    return f"pairing, {tokens} tokens: {alone} of {len(runs)} find their base alone; worst p: {said}; " + (
        f"r after Holm {max(each if each is not None else 1.0 for each in holm):.1e}"
    )


def tell_none(runs: Sequence[Run]) -> str:
    """How many children without their family come from none of the others."""
    judged = [run.judged(without_family=True) for run in runs]
    none = sum(all(each.verdict == "none" for each in pairs) for pairs in judged)
    least = min(each.p_holm for pairs in judged for each in pairs if each.p_holm is not None)
    return f"family removed: none of these in {none} of {len(runs)}; least p after Holm {least:.2g}"


# ── uniform ───────────────────────────────────────────────────────────────────────────────────────────────


def find_p(models: Menagerie) -> dict[str, list[float]]:
    """By statistic the p of every pair of families on every disjoint set of tokens."""
    found: dict[str, list[float]] = {name: [] for name in ("r", "target", "top-20", "W1")}
    for one, other in combinations(FAMILIES, 2):
        request = FindLineage(children=(other,), bases=(one,), templates=FEWER, count=3_000)
        whole = prepare(models, other, one, request)
        for seed, pair in enumerate(_sets(whole)):
            for name in ("r", "target", "top-20"):
                if (permuted := exact.permute(summed(name, pair, request), seed, DRAWS)) is not None:
                    found[name].append(permuted.p)  # one favourite after all 8 tokens tells nothing, and has no p
            ids = (list(pair.matter.candidate_tokens), list(pair.matter.child_tokens))
            rows = (models.rows(one)[ids[0]], models.rows(other)[ids[1]])
            compared = compare_rows([rows], rows[0].shape[1], seed)
            assert compared is not None
            found["W1"].append(compared.permuted.p)
    return found


def _sets(pair: Pair) -> Iterator[Pair]:
    whole = pair.matter
    for first in range(0, len(whole.tokens) - SET + 1, SET):
        kept = slice(first, first + SET)
        sides = (whole.tokens[kept], whole.candidate_tokens[kept], whole.child_tokens[kept])
        yield replace(pair, matter=replace(whole, tokens=sides[0], candidate_tokens=sides[1], child_tokens=sides[2]))


def tell_uniform(name: str, found: Sequence[float]) -> str:
    """Shares with the probability of at least so many: tests of two pairs are independent even where they share a
    model, since either model's order is uniform given all others; so the count has the binomial's variance."""
    p = np.array(found)
    below = {level: int((p <= level).sum()) for level in (0.05, 0.01, 0.001)}
    shares = ", ".join(
        f"<= {level}: {times / len(p):.4f} (P of so many {stats.binom.sf(times - 1, len(p), level):.2g})"
        for level, times in below.items()
    )
    deciles = " ".join(map(str, np.histogram(p, 10, (0, 1))[0].tolist()))
    return f"uniform, {name}: {len(p)} tests, KS p {stats.kstest(p, 'uniform').pvalue:.2g}, {shares}, deciles {deciles}"


# ── across tokenizers ─────────────────────────────────────────────────────────────────────────────────────


def tell_across(models: Menagerie) -> Iterator[str]:
    """Each pair of strangers, both ways, with other tokens: r is the same both ways."""
    for seed, (base, child) in enumerate([*ACROSS, *((other, one) for one, other in ACROSS)]):
        request = FindLineage(children=(child,), bases=(base,), templates=TEMPLATES, seed=seed)
        (pair,) = judge([try_rungs(prepare(models, child, base, request), request)], request)
        known = count_shared(models, child, base)
        p = "none" if pair.p is None else f"{pair.p:.2g}"
        yield (
            f"across tokenizers, {base} ~ {child}: {pair.verdict}, p {p}, r {pair.r:.3f}, {pair.tokens} tokens of "
            f"{known} never trained in both, {pair.outputs} outputs"
        )


def count_shared(models: Menagerie, child: str, base: str) -> int:
    """How many never-trained tokens both have."""
    request = FindLineage(children=(child,), bases=(base,), templates=TEMPLATES, count=3_000)
    return len(choose_matter(models.answers(base).known, models.answers(child).known, request, ()).tokens)


def tell_children(models: Menagerie, seeds: int) -> Iterator[str]:
    """Pairing and none, a line each."""
    runs = [run_child(models, child, chat, seed) for seed in range(seeds) for chat in FORMATS for child in PARENTS]
    yield tell_pairing([run for run in runs if run.request.seed < PAIRING_SEEDS], 20)
    yield tell_none(runs)
    for count in (10, 40):
        some = [
            run_child(models, child, chat, seed, count)
            for seed in range(PAIRING_SEEDS) for chat in FORMATS for child in PARENTS
        ]  # fmt: skip
        yield tell_pairing(some, count)


def tell_all_uniform(models: Menagerie) -> Iterator[str]:
    """A line for each statistic."""
    yield from (tell_uniform(name, found) for name, found in find_p(models).items())


def main() -> None:
    """Read the arguments, measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strangers", type=Path, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--parts", nargs="+", choices=("pairing", "across", "uniform"), metavar="PART")
    given = parser.parse_args()
    models = Menagerie(given.strangers)
    parts = {
        "pairing": tell_children(models, given.seeds),
        "across": tell_across(models),
        "uniform": tell_all_uniform(models),
    }
    for part in given.parts or parts:
        lines = []
        for line in parts[part]:
            print(line, flush=True)
            lines.append(f"- {line}")
        write_section(f"Errors of lineage: {part}", "\n".join(lines))


if __name__ == "__main__":
    main()
