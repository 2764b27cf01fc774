"""Verification of a vocabulary: our batched sweep against one `model.generate` a prompt, as magikarp does it.

The other side is written afresh here after `verify_magikarp` of github.com/cohere-ai/magikarp: for each token and each
prompt it tokenises the prompt with a placeholder, puts the id in its place, decodes and encodes the result to see
whether it survives, and generates greedily with the logits, on the model as transformers loads it. Both sides get the
same prompts and the same weights in float32, and must come to the same P(token); the sweep is given four times as many
tokens, so that its batches are full, and both are counted by the token.

    python -m benchmarks.bench_verification [--source zoo:mynah] [--tokens 64] [--repeats 3] [--threads 2]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from statistics import median
from typing import Any

from benchmarks.harness import REPOSITORY, write_section

_SETUP = """
import json, sys, tempfile, time
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads({threads})
from explorer.engine.answers.verification.definitions import DIALOGUE, MINER, MINER_QUESTION
from explorer.engine.answers.verification.definitions import PLAIN, REPEATS, SHOTS, SUBSTRING
from explorer.engine.behaviour.prompts import build_prompt
from explorer.engine.answers.verification.sweep import Asker, Slab, sweep
from explorer.engine.models.roster import Roster
model = Roster().load({source!r}, dtype="float32", device="cpu")
tokenizer = model.vocabulary.tokenizer
ordinary = np.flatnonzero(model.vocabulary.categories == 0)
many = ordinary[np.linspace(0, len(ordinary) - 1, 4 * {tokens}).astype(int)]
few = many[::4]
questions = [one for one in (SHOTS, DIALOGUE, REPEATS, MINER, MINER_QUESTION, SUBSTRING, PLAIN)
             if not Asker(model, one).too_long()]
report = dict()
"""

_OURS = """
def verify(question, ids):
    best = np.full(len(ids), np.nan)
    with tempfile.TemporaryDirectory() as folder:
        for step in sweep(model, [question], ids, Path(folder)):
            if isinstance(step, Slab):
                (found,) = step.evidence.values()
                rows = np.isin(ids, step.token_ids)
                best[rows] = np.exp(np.nanmax(found["logprobs"], axis=1))
                for token_id in ids[rows][best[rows] <= 0.1]:
                    build_prompt(model.vocabulary, question.template, int(token_id)).reencodes
    return best
for question in questions:
    verify(question, few)
    began = time.perf_counter()
    best = verify(question, many)
    seconds = (time.perf_counter() - began) / len(many)
    report[question.template.name] = [seconds, best[::4].tolist(), Asker(model, question).shared_share]
json.dump(report, sys.stdout)
"""

_THEIRS = """
from transformers import AutoModelForCausalLM
stock = AutoModelForCausalLM.from_pretrained(model.directory, dtype=torch.float32).eval()
placeholder = max(ordinary[:2000].tolist(), key=lambda i: len(set(model.vocabulary.text(i))))
def verify(question, prompt, token_id):
    tokenizer.encode(prompt.text, return_tensors="pt")
    tokens = torch.tensor([prompt.ids])
    tokens[tokens == placeholder] = token_id
    token_id in tokenizer.encode(tokenizer.decode(tokens[0]))
    made = stock.generate(tokens, max_new_tokens=question.tokens, do_sample=True, top_k=1, output_logits=True,
                          return_dict_in_generate=True, pad_token_id=tokenizer.pad_token_id or 0)
    tokenizer.decode(made["sequences"][0, tokens.shape[1]:])
    return max(float(np.exp(torch.log_softmax(one, dim=-1)[0, token_id].item())) for one in made["logits"])
for question in questions:
    prompt = build_prompt(model.vocabulary, question.template, placeholder)
    verify(question, prompt, int(few[0]))
    began = time.perf_counter()
    best = [verify(question, prompt, int(token_id)) for token_id in few]
    report[question.template.name] = [(time.perf_counter() - began) / len(few), best]
json.dump(report, sys.stdout)
"""

Report = dict[str, Any]


def _run(work: str, source: str, tokens: int, threads: int) -> Report:
    program = _SETUP.format(source=source, tokens=tokens, threads=threads) + work
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    report: Report = json.loads(done.stdout.splitlines()[-1])
    return report


def _check_same(ours: Report, theirs: Report) -> None:
    for name, (_, probs, *_) in ours.items():
        for mine, other in zip(probs, theirs[name][1], strict=True):
            assert abs(mine - other) <= 1e-4 * other, f"{name}: {mine} is not {other}"


def run(source: str, tokens: int, repeats: int, threads: int) -> None:
    """Compare on one model, print and write the result. Raises `AssertionError` where the two sides do not come to
    the same probabilities."""
    runs = [(_run(_OURS, source, tokens, threads), _run(_THEIRS, source, tokens, threads)) for _ in range(repeats)]
    for ours, theirs in runs:
        _check_same(ours, theirs)
    lines = ["| prompt | shared | glitch-explore, ms | one `generate`, ms | ratio |", "|---|---:|---:|---:|---:|"]
    sums = [0.0, 0.0]
    for name, (*_, shared) in runs[0][0].items():
        mine, other = (1e3 * median(pair[side][name][0] for pair in runs) for side in (0, 1))
        sums = [sums[0] + mine, sums[1] + other]
        lines.append(f"| {name} | {shared:.0%} | {mine:.2f} | {other:.1f} | {other / mine:.1f} |")
    lines.append(f"| all of them | | {sums[0]:.2f} | {sums[1]:.1f} | {sums[1] / sums[0]:.1f} |")
    told = (
        f"Milliseconds a token, {threads} thread(s), medians of {repeats}. *shared*: the part of the prompt read"
        " once for all tokens. P(token) is the same on both sides, within 1e-4 relative."
    )
    title = f"Verification of {source}"
    body = "\n".join([told, "", *lines])
    write_section(title, body)
    print(f"{title}\n{body}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="zoo:mynah")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    run(given.source, given.tokens, given.repeats, given.threads)


if __name__ == "__main__":
    main()
