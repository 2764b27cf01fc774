"""Verification of a vocabulary: our batched sweep against one `model.generate` a prompt, as magikarp does it.

The other side is written afresh here after `verify_magikarp` of github.com/cohere-ai/magikarp: for each token and each
prompt it tokenises the prompt with a placeholder, puts the id in its place, decodes and encodes the result to see
whether it survives, and generates greedily with the logits, on the model as transformers loads it. Both sides get the
same prompts and the same weights in float32, and must come to the same P(token); the sweep is given `--fill` times as
many tokens, so that its batches are full, and both are counted by the token, in seconds of the processor: other work on
the machine takes turns with ours and is not counted.

The limit is what the operations of the prompts and replies take (`sizes.cost_of_row`) at the rate of a large product
of float32 matrices on the same machine in the same minute.

    python -m benchmarks.bench_verification [--source zoo:mynah] [--tokens 64] [--repeats 3] [--threads 2] [--fill 4]
    python -m benchmarks.bench_verification --source DIR --title NAME --tokens 12 --repeats 1 --threads 1 --fill 4
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
from explorer.base.records.verification import Verify
from explorer.engine.answers.verification.answer import verify as whole_verify
from explorer.engine.answers.verification.asking import Asker
from explorer.engine.answers.verification.sweep import Slab, sweep
from explorer.engine.behaviour.prompts import build_prompt
from explorer.engine.handlers import Engine
from explorer.engine.control import Control
engine = Engine()
model = engine.models.load({source!r}, dtype="float32", device="cpu")
tokenizer = model.vocabulary.tokenizer
ordinary = np.flatnonzero(model.vocabulary.categories == 0)
many = ordinary[np.linspace(0, len(ordinary) - 1, {fill} * {tokens}).astype(int)]
few = many[::{fill}]
questions = [one for one in (SHOTS, DIALOGUE, REPEATS, MINER, MINER_QUESTION, SUBSTRING, PLAIN)
             if not Asker(model, one).too_long()]
report = dict()
clock = time.process_time
def finish(work):
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value
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
def rate():
    left, right = torch.randn(256, 1536), torch.randn(1536, 1536)
    began = clock()
    for _ in range(40):
        left @ right
    return 40 * 2 * 256 * 1536 * 1536 / (clock() - began)
rate()
peak = rate()
for question in questions:
    verify(question, few[:8])
    began = clock()
    best = verify(question, many)
    seconds = (clock() - began) / len(many)
    asker = Asker(model, question)
    report[question.template.name] = [seconds, best[::{fill}].tolist(), asker.shared_share, asker.work / peak]
read = finish(engine.vocabularies.read(model, None))
names = ("magikarp", "glitchminer", "glitchminer-strict", "substring", "plain")
sweeps = dict()
for cascade in (False, True):
    with tempfile.TemporaryDirectory() as folder:
        request = Verify(model=model.info.name, token_ids=tuple(many.tolist()), definitions=names, cascade=cascade)
        began = clock()
        found = finish(whole_verify(model, read, request, Control(lambda: False, lambda part: None), Path(folder)))
        sweeps[str(cascade)] = [(clock() - began) / len(many), found.digest, found.answered, found.skipped]
json.dump(dict(prompts=report, sweeps=sweeps, peak=peak), sys.stdout)
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
    began = clock()
    best = [verify(question, prompt, int(token_id)) for token_id in few]
    report[question.template.name] = [(clock() - began) / len(few), best]
json.dump(dict(prompts=report), sys.stdout)
"""

Report = dict[str, Any]


def _run(work: str, source: str, tokens: int, threads: int, fill: int) -> Report:
    program = (_SETUP + work).replace("{source!r}", repr(source))
    for name, value in (("tokens", tokens), ("threads", threads), ("fill", fill)):
        program = program.replace(f"{{{name}}}", str(value))
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    report: Report = json.loads(done.stdout.splitlines()[-1])
    return report


def _check_same(ours: Report, theirs: Report) -> None:
    for name, (_, probs, *_) in ours["prompts"].items():
        for mine, other in zip(probs, theirs["prompts"][name][1], strict=True):
            assert abs(mine - other) <= 1e-4 * other, f"{name}: {mine} is not {other}"
    assert ours["sweeps"]["False"][1] == ours["sweeps"]["True"][1], "the cascade changes a verdict"


def run(source: str, title: str, tokens: int, repeats: int, threads: int, fill: int) -> None:
    """Compare on one model, print and write the result. Raises `AssertionError` where the two sides do not come to
    the same probabilities, or the cascade to other verdicts."""
    runs = [tuple(_run(work, source, tokens, threads, fill) for work in (_OURS, _THEIRS)) for _ in range(repeats)]
    for ours, theirs in runs:
        _check_same(ours, theirs)
    lines = ["| prompt | shared | limit, ms | glitch-explore, ms | of the limit | one `generate`, ms | ratio |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    sums = [0.0, 0.0, 0.0]
    for name, (*_, shared, _) in runs[0][0]["prompts"].items():
        mine, other = (1e3 * median(pair[side]["prompts"][name][0] for pair in runs) for side in (0, 1))
        limit = 1e3 * median(pair[0]["prompts"][name][3] for pair in runs)
        sums = [one + more for one, more in zip(sums, (limit, mine, other), strict=True)]
        lines.append(_line(name, f"{shared:.0%}", limit, mine, other))
    lines.append(_line("all of them", "", *sums))
    for cascade, words in (("False", "a whole sweep, every prompt"), ("True", "a whole sweep, cascade")):
        mine = 1e3 * median(pair[0]["sweeps"][cascade][0] for pair in runs)
        asked, skipped = runs[0][0]["sweeps"][cascade][2:]
        lines.append(_line(f"{words} ({asked:,} asked, {skipped:,} not)", "", sums[0], mine, sums[2]))
    told = (
        f"Milliseconds of the processor a token, {threads} thread(s), {tokens} tokens, medians of {repeats}. *shared*:"
        " the part of the prompt read once for all tokens. *limit*: the operations at"
        f" {median(pair[0]['peak'] for pair in runs) / 1e9:.0f} GFLOP/s, the rate of a large float32 product here."
        " P(token) is the same on both sides, within 1e-4 relative, and the cascade changes no verdict."
    )
    head = f"Verification of {title}"
    body = "\n".join([told, "", *lines])
    write_section(head, body)
    print(f"{head}\n{body}")


def _line(name: str, shared: str, limit: float, mine: float, other: float) -> str:
    return f"| {name} | {shared} | {limit:.2f} | {mine:.2f} | {mine / limit:.2f} | {other:.1f} | {other / mine:.2f} |"


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="zoo:mynah")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fill", type=int, default=4)
    parser.add_argument("--title", default="", help="how results name the model (default: its source)")
    given = parser.parse_args()
    run(given.source, given.title or given.source, given.tokens, given.repeats, given.threads, given.fill)


if __name__ == "__main__":
    main()
