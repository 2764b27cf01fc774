"""Repeat-back tokens a second, against a plain `model.generate` loop over the same prompts.

The rival asks as peers do: one prompt at a time, `model.generate`, the same seeds' worth of samples. Both run the same
prompts (the template's, with the id substituted) on the same model in float32 on the CPU, until the same number of
reply tokens, stop conditions off.

    python -m benchmarks.bench_repeat [--repeats 3]
"""

from __future__ import annotations

import argparse

from benchmarks.harness import Contender, compare, write_section

TOKENS, LENGTH = 24, 16

_SETUP = f"""
import torch
torch.set_num_threads(1)
from explorer.engine.models.roster import Roster
from explorer.engine.behaviour.prompts import build_prompt
from explorer.engine.answers.repeat_back import repeat_back
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.templates import Template
model = Roster().load("zoo:mynah")
template = Template(name="bench", question="Please can you repeat back the string '{{token}}' to me?")
asked = list(range(1100, 1100 + {TOKENS}))
model.vocabulary.categories
def reply_tokens(outcome):
    return sum(len(reply.reply_ids) for reply in outcome.probe.replies)
def ours(samples):
    total = 0
    for token_id in asked:
        work = repeat_back(model, RepeatBack(
            model="mynah", token_id=token_id, template=template, samples=samples,
            temperature=0.0 if samples == 1 else 1.0, max_new_tokens={LENGTH}))
        try:
            while True: next(work)
        except StopIteration as done:
            total += reply_tokens(done.value)
    return total
def plain(samples):
    total = 0
    for token_id in asked:
        ids = torch.tensor([list(build_prompt(model.vocabulary, template, token_id).ids)])
        for _ in range(samples):
            with torch.inference_mode():
                out = model.hf.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens={LENGTH},
                    do_sample=samples > 1, pad_token_id=0, output_logits=True, return_dict_in_generate=True)
            total += out.sequences.shape[1] - ids.shape[1]
    return total
"""


def contender(name: str, call: str) -> Contender:
    """One way of asking, which tells how many tokens came back."""
    return Contender(name=name, setup=_SETUP, work=f"tokens = {call}\nassert tokens > 0\nprint('tokens', tokens)")


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    lines = ["| replies | contender | seconds | ratio |", "|---|---|---:|---:|"]
    for label, samples in ((f"{TOKENS} tokens, greedy", 1), (f"{TOKENS} tokens, 8 samples each", 8)):
        ours, plain = compare(
            [
                contender("glitch-explore", f"ours({samples})"),
                contender("model.generate, one by one", f"plain({samples})"),
            ],
            repeats,
        )
        lines.append(f"| {label} | {ours.name} | {ours.seconds:.2f} | 1.00 |")
        lines.append(f"| {label} | {plain.name} | {plain.seconds:.2f} | {plain.seconds / ours.seconds:.2f} |")
    lines.append("")
    lines.append("Both stop at the end-of-text token (ours also in a loop) and have the logits of every step.")
    write_section("Repeat-back", "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
