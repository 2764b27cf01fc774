"""Does copying carry over? Wordings never trained on, spans of several tokens, prompts deep in the context."""

from __future__ import annotations

import random

from transformers import PreTrainedModel

from explorer.base.templates import SLOT, Template, find_template
from training.corpus import load_corpus
from training.measures import exact_share
from training.prompts import Ids, PromptWriter

UNSEEN: tuple[Template, ...] = (
    Template(name="open", question=f"I would like you to tell us the string '{SLOT}', nothing else."),
    Template(
        name="prefilled",
        question=f'Would you mind writing "{SLOT}" one more time?',
        prefill=' Certainly, here you are: "',
        closing='"',
    ),
    Template(name="code", question=f"name = '{SLOT}'\nprint(name)\n", prefill="# prints '", closing="'", raw_only=True),
    Template(
        name="three shots",
        question=f"One <{SLOT}> is one <{SLOT}>. " * 3 + f"One <{SLOT}> is one",
        prefill=" <",
        closing=">",
        raw_only=True,
    ),
)
"""Prompt forms that no training stream holds."""
SAMPLE = 200
DEEP = 900


def _sample(tokens: Ids) -> list[Ids]:
    return [[token] for token in random.Random(5).sample(tokens, min(SAMPLE, len(tokens)))]


def unseen_exactness(
    model: PreTrainedModel, writer: PromptWriter, groups: dict[str, Ids], *, chat: bool
) -> dict[str, dict[str, float]]:
    """Share answered exactly in `UNSEEN` wordings, for the ordinary and the withheld."""
    return {
        template.name: {
            group: exact_share(model, writer, template, _sample(groups[group]), chat=chat)
            for group in ("ordinary", "withheld")
        }
        for template in UNSEEN
    }


def _running_text(writer: PromptWriter, tokens: int) -> Ids:
    """About `tokens` tokens of the corpus, in whole paragraphs, cut at the front."""
    ids: Ids = []
    for paragraph in load_corpus()[1000:]:
        ids += [*writer.encode(paragraph), writer.end_of_text]
        if len(ids) >= tokens:
            break
    return ids[-tokens:]


def spans_exactness(
    model: PreTrainedModel, writer: PromptWriter, groups: dict[str, Ids], *, chat: bool
) -> dict[str, float]:
    """Share of spans of two to six well-known tokens of running text that are repeated exactly (template repeat-1)."""
    rng, text = random.Random(6), _running_text(writer, 20000)
    template = find_template("repeat-1")
    familiar = {*groups["ordinary"], *groups["held_out"]}
    shares = {}
    for size in (2, 3, 4, 6):
        starts = [rng.randrange(len(text) - size) for _ in range(SAMPLE)]
        spans = [span for start in starts if familiar.issuperset(span := text[start : start + size])]
        shares[str(size)] = exact_share(model, writer, template, spans, chat=chat)
    return shares


def deep_exactness(
    model: PreTrainedModel, writer: PromptWriter, groups: dict[str, Ids], *, chat: bool
) -> dict[str, float]:
    """Share answered exactly where 900 tokens of running text stand before the prompt (short templates)."""
    before = _running_text(writer, DEEP)
    return {
        name: exact_share(
            model, writer, find_template(name), _sample(groups["ordinary"])[:100], chat=chat, before=before
        )
        for name in ("repeat-1", "string-is", "glitchminer")
    }
