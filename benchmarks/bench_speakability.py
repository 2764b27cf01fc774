"""Speakability: whole vocabularies with proofs, growth, small instances against exact truth, and HiGHS beside it.

Everything here runs on one thread and counts processor seconds, which a busy machine inflates less than the clock's.

    python -m benchmarks.bench_speakability [whole|wide|growth|next|linprog|truth ...] [--seconds 300]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy.optimize import linprog

from benchmarks.harness import write_section
from benchmarks.planted import Planted, planted
from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.geometry import Ground
from explorer.engine.core.speakability.prove import FEW, prove
from explorer.engine.core.speakability.questions import Question, RowWitness, Settled, Weights

TESTS = Path(__file__).parent.parent / "tests" / "core" / "speakability"


def timed(
    vocabulary: Planted, question: Question, bias: str = "", token_ids: Sequence[int] | None = None
) -> tuple[dict[int, Settled], float]:
    """ProveSpeakability and measure; `bias` is `shift`, `head` or nothing."""
    verdicts: dict[int, Settled] = {}
    start = time.process_time()
    head = vocabulary.bias if bias == "head" else None
    shift = vocabulary.shift if bias == "shift" else None
    for part in prove(vocabulary.rows, head, question, token_ids, shift=shift):
        verdicts |= {verdict.token_id: verdict for verdict in part}
    return verdicts, time.process_time() - start


def summary(verdicts: dict[int, Settled]) -> str:
    """How many of each answer, as cells of a table."""
    counts = Counter(verdict.answer for verdict in verdicts.values())
    searched = sum(not isinstance(verdict.certificate, RowWitness) for verdict in verdicts.values())
    return f"{counts['speakable']:,} | {counts['unspeakable']:,} | {counts['undecided']:,} | {searched:,}"


def right_about_planted(vocabulary: Planted, verdicts: dict[int, Settled]) -> None:
    """The planted truths, which are about the cone, and every proof that does not rest on the row alone."""
    assert {verdicts[t].answer for t in vocabulary.speakable.tolist()} == {"speakable"}
    assert {verdicts[t].answer for t in vocabulary.unspeakable.tolist()} == {"unspeakable"}
    checker = Checker(vocabulary.rows, None, Question("cone"))
    searched = [verdict for verdict in verdicts.values() if not isinstance(verdict.certificate, RowWitness)]
    for verdict in searched[:: max(1, len(searched) // 200)]:
        assert checker.proves(verdict.token_id, verdict.answer, verdict.certificate)


HEADING = """| question | seconds | speakable | unspeakable | undecided | by search |
|---|---:|---:|---:|---:|---:|"""


def whole(vocab: int, d_model: int, questions: dict[str, tuple[Question, str]]) -> None:
    """A whole vocabulary under several questions."""
    vocabulary = planted(vocab, d_model)
    lines = [HEADING]
    for name, (question, bias) in questions.items():
        verdicts, seconds = timed(vocabulary, question, bias)
        if question.mode == "cone":
            right_about_planted(vocabulary, verdicts)
        lines.append(f"| {name} | {seconds:.1f} | {summary(verdicts)} |")
        print(lines[-1], flush=True)
    body = "One thread, processor seconds. The planted tokens are all right and a sample of the proofs was checked.\n\n"
    write_section(f"Speakability of a whole {vocab:,} x {d_model:,} vocabulary", body + "\n".join(lines))


def all_questions(d_model: int) -> dict[str, tuple[Question, str]]:
    """The questions of a LayerNorm model with a bias in its head as well."""
    radius = d_model**0.5
    return {
        "cone": (Question("cone"), ""),
        "ball, shift": (Question("ball", radius=radius, bias=True), "shift"),
        "ball of mean zero, shift": (Question("ball", radius=radius, bias=True, mean_zero=True), "shift"),
        "ball, head's bias": (Question("ball", radius=radius, bias=True), "head"),
        "box, shift": (Question("box", bias=True), "shift"),
        "box, head's bias": (Question("box", bias=True), "head"),
    }


def growth() -> None:
    """Seconds for the cone as the vocabulary and the width grow."""
    lines = ["| vocab | d_model | seconds | per token, ms |", "|---:|---:|---:|---:|"]
    for vocab, d_model in ((6_250, 768), (12_500, 768), (25_000, 768), (12_500, 192), (12_500, 384), (12_500, 1_600)):
        verdicts, seconds = timed(planted(vocab, d_model), Question("cone"))
        assert "undecided" not in {verdict.answer for verdict in verdicts.values()}
        lines.append(f"| {vocab:,} | {d_model:,} | {seconds:.1f} | {1000 * seconds / vocab:.2f} |")
        print(lines[-1], flush=True)
    write_section("Speakability: growth with vocab and d_model (cone)", "One thread.\n\n" + "\n".join(lines))


def one_by_one(vocab: int, d_model: int) -> None:
    """A token on its own, as the explorer asks: the first one, for which the matrix is prepared, and those after it."""
    vocabulary = planted(vocab, d_model)
    lines = ["| question | tokens | the first, s | a later one, s |", "|---|---|---:|---:|"]
    for name, (question, bias) in all_questions(d_model).items():
        if bias == "head":
            continue
        shift = vocabulary.shift if bias == "shift" else None
        for kind in ("ordinary", "outside", "near the mean"):
            ground, seconds = Ground(), []
            for token_id in vocabulary.kinds[kind][-6:].tolist():
                start = time.process_time()
                found = prove(vocabulary.rows, None, question, [token_id], shift=shift, ground=ground)
                assert sum(len(part) for part in found) == 1
                seconds.append(time.process_time() - start)
            lines.append(f"| {name} | {kind} | {seconds[0]:.2f} | {median(seconds[1:]):.2f} |")
            print(lines[-1], flush=True)
    write_section(
        f"Speakability of one token after another, {vocab:,} x {d_model:,}",
        "One thread, processor seconds, median of five later ones. Nothing was known before the first of a line.\n\n"
        + "\n".join(lines),
    )


HARD_KINDS = ("near another", "near the mean", "outside", "hidden", "inside")
MOST_OF_A_KIND = 200


def beside_linprog(vocab: int, d_model: int, limit: float) -> None:
    """Hard tokens, each with the post's linear program over all rows: max m, (w_t − w_j)·x ≥ m, |x_i| ≤ 1."""
    vocabulary = planted(vocab, d_model)
    easy = vocabulary.kinds["ordinary"][: FEW + 1].tolist()  # so many that the matrix is prepared for them
    preparing = min(timed(vocabulary, Question("box"), token_ids=easy)[1] for _ in range(3))
    start = time.process_time()
    for _ in Checker(vocabulary.rows, None, Question("box")).prepare():
        pass
    framing = time.process_time() - start
    lines = [
        "| hard tokens | how many | ours, s each | HiGHS, s for one | ratio | our answer | HiGHS's optimum |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    rows = vocabulary.rows.astype(np.float64)
    for kind in HARD_KINDS:
        tokens = vocabulary.kinds[kind][:MOST_OF_A_KIND].tolist()
        verdicts, seconds = timed(vocabulary, Question("box"), token_ids=tokens)
        needs_frame = any(isinstance(one.certificate, Weights) and one.certificate.centre for one in verdicts.values())
        # What is left after preparing is not told finer than a tenth of a second.
        ours = max(0.1, seconds - preparing - (framing if needs_frame else 0.0)) / len(tokens)
        theirs, least, optimum = _highs(rows, tokens[0], limit)
        lines.append(
            f"| {kind} | {len(tokens)} | {ours:.4f} | {least}{theirs:.0f} | {least}{theirs / ours:,.0f} "
            f"| {verdicts[tokens[0]].answer} | {optimum} |"
        )
        print(lines[-1], flush=True)
    body = (
        f"Same matrix ({vocab:,} x {d_model:,}), same process, one thread, processor seconds. Ours is search and check "
        "of every proof for all tokens of a kind together. Preparing the matrix, once for all tokens, takes "
        f"{preparing:.1f} s, and {framing:.1f} s more where proofs put weight on the mean of all rows. HiGHS solves "
        "the first token of a kind, and was stopped where it says 'more than'.\n\n"
    )
    write_section("Speakability of hard tokens beside scipy's linprog (HiGHS)", body + "\n".join(lines))


def _highs(rows: np.ndarray, token_id: int, limit: float) -> tuple[float, str, str]:
    """Seconds of the linear program, 'more than ' where it was stopped, and its optimum."""
    width = rows.shape[1]
    others = np.delete(rows, token_id, axis=0) - rows[token_id]
    start = time.process_time()
    found = linprog(
        np.append(np.zeros(width), -1.0),
        A_ub=np.column_stack([others, np.ones(len(others))]),
        b_ub=np.zeros(len(others)),
        bounds=[(-1, 1)] * width + [(None, None)],
        method="highs",
        options={"time_limit": limit},
    )
    seconds = time.process_time() - start
    return (seconds, "", f"{-found.fun:.3g}") if found.status == 0 else (seconds, "more than ", "stopped")


def against_truth(instances: int) -> None:
    """Random small instances of all families in all questions against exact rational truth."""
    sys.path.insert(0, str(TESTS))
    from small_families import FAMILIES  # type: ignore[import-not-found]
    from test_prove import compare_with_truth  # type: ignore[import-not-found]

    counts: Counter[str] = Counter()
    for family in FAMILIES:
        for seed in range(1000, 1000 + instances // len(FAMILIES)):
            counts += compare_with_truth(family, seed)
    total = sum(counts.values())
    body = (
        f"{instances:,} random instances of {len(FAMILIES)} families, five questions each, {total:,} verdicts: none "
        f"wrong; {counts['undecided']:,} undecided, all with an exact lead within 1e-9 of the largest score. "
        "All proofs passed."
    )
    print(body)
    write_section("Speakability against exact rational truth", body)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("whole", "wide", "growth", "next", "linprog", "truth")
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--seconds", type=float, default=300.0, help="for each of HiGHS's tokens")
    parser.add_argument("--instances", type=int, default=2_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = arguments.parts or parts
    if "whole" in chosen:
        whole(50_257, 768, all_questions(768))
    if "wide" in chosen:
        whole(50_257, 1_600, {"cone": all_questions(1_600)["cone"]})
    if "growth" in chosen:
        growth()
    if "next" in chosen:
        one_by_one(50_257, 768)
    if "linprog" in chosen:
        beside_linprog(50_257, 768, arguments.seconds)
    if "truth" in chosen:
        against_truth(arguments.instances)


if __name__ == "__main__":
    main()
