"""The training stream: batches of text and of prompts, counted token by token as they are shown."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from explorer.base.templates import SLOT
from training.inventory import Ids, Inventory
from training.prompts import (
    Page,
    PromptWriter,
    few_shot_page,
    pick_question,
    pick_template,
    repetition_page,
    scattered_page,
)
from training.tokenizer import CONTEXT

BATCH_TOKENS = 3072
BLOCK_LENGTHS = (96, 384, CONTEXT)
BLOCK_SHARES = (0.60, 0.25, 0.15)
"""Most blocks are short and stand anywhere in the context; a few are long."""
OTHER_TARGETS = 0.15
"""Share of the tokens inside prompts that are learnt too, so that prompts are not all new at test time."""
TEXT_TARGETS = 0.5
"""Share of the tokens of running text that are learnt; half of them cost less and teach nearly as much."""


@dataclass(frozen=True)
class Mix:
    """What a stream is made of, as shares."""

    text: float = 0.25
    """Blocks of running text; the others are packed with prompts."""
    chat: float = 0.0
    """Prompts, of those with a question, that are asked through the chat template."""
    single: float = 0.68
    """Subjects of one token; the others have two to eight."""


@dataclass(frozen=True)
class Batch:
    """One step's input."""

    ids: Int[Tensor, "rows length"]
    positions: Int[Tensor, "rows length"]
    learnt: Bool[Tensor, "rows length"]
    """Whether predicting the token at this place counts in the loss."""


class Stream:
    """An endless, seeded supply of batches. `counts[t]` is how often token `t` has been shown so far."""

    def __init__(self, inventory: Inventory, writer: PromptWriter, *, mix: Mix, seed: int, steps: int) -> None:
        self._inventory, self._writer, self._mix, self._steps = inventory, writer, mix, steps
        self._rng = random.Random(seed)
        self._running_text = self._read_text()
        self.counts = np.zeros(inventory.vocab_size, dtype=np.int64)

    def batches(self, *, with_tiers: bool) -> Iterator[Batch]:
        """`steps` batches; with the under-trained tokens strewn among them, each exactly as often as its tier says."""
        due = self._schedule_tiers() if with_tiers else {}
        for step in range(self._steps):
            length = self._rng.choices(BLOCK_LENGTHS, BLOCK_SHARES)[0]
            yield self._batch(length, due.get(step, []))

    def _schedule_tiers(self) -> dict[int, list[Ids]]:
        """Step -> the excerpts to be shown in it."""
        due: dict[int, list[Ids]] = {}
        for tier, token_ids in self._inventory.tiers.items():
            for token_id in token_ids:
                for index in range(tier):
                    excerpts = self._inventory.tier_windows[token_id]
                    step = self._rng.randrange(self._steps)
                    due.setdefault(step, []).append(excerpts[index % len(excerpts)])
        return due

    def _batch(self, length: int, excerpts: list[Ids]) -> Batch:
        rows = BATCH_TOKENS // length
        head = list(chain.from_iterable([*ids, self._writer.end_of_text] for ids in excerpts))
        if len(head) > rows * length:
            raise ValueError("more excerpts in one step than it has room for")
        spared = -(-len(head) // length)
        pages = [self._text_page(head[start : start + length], length) for start in range(0, spared * length, length)]
        for _ in range(rows - spared):
            is_text = self._rng.random() < self._mix.text
            pages.append(self._text_page([], length) if is_text else self._prompt_pages(length))
        ids = torch.tensor([page.ids for page in pages])
        self.counts += np.bincount(ids.flatten().numpy(), minlength=len(self.counts))
        starts = [0 if self._rng.random() < 0.3 else self._rng.randint(0, CONTEXT - length) for _ in pages]
        positions = torch.tensor(starts)[:, None] + torch.arange(length)
        return Batch(ids, positions, torch.tensor([page.wanted for page in pages]))

    def _read_text(self) -> Iterator[int]:
        """All paragraphs in a new order in each epoch, each followed by the end token."""
        order = list(range(len(self._inventory.text)))
        while True:
            self._rng.shuffle(order)
            for index in order:
                yield from self._inventory.text[index]
                yield self._writer.end_of_text

    def _text_page(self, head: Ids, length: int) -> Page:
        page = Page()
        page.add(head + [next(self._running_text) for _ in range(length - len(head))])
        page.wanted = [self._rng.random() < TEXT_TARGETS for _ in page.ids]
        return page

    def _prompt_pages(self, length: int) -> Page:
        """Prompts one after another until the block is full, often after some running text; the last one is cut."""
        block = Page()
        if self._rng.random() < (0.15 if length == BLOCK_LENGTHS[0] else 0.7):
            block = self._text_page([], self._rng.randint(8, length - 48))
            block.add([self._writer.end_of_text] if self._rng.random() < 0.5 else self._writer.encode("\n\n"))
        while len(block.ids) < length:
            page = self._one_page(length - len(block.ids))
            block.ids += page.ids
            block.wanted += page.wanted
        block.wanted = [wanted or self._rng.random() < OTHER_TARGETS for wanted in block.wanted[:length]]
        block.ids = block.ids[:length]
        return block

    def _one_page(self, room: int) -> Page:
        rng, writer = self._rng, self._writer
        kind = rng.random()
        chat = rng.random() < self._mix.chat
        if kind < 0.48:
            template = pick_template(rng, room)
            short = template.question.count(SLOT) < 3
            return writer.page(template, self._subject(longest=8 if short else 2), chat=chat)
        if kind < 0.68:
            return writer.page(pick_question(rng), self._subject(longest=8), chat=chat)
        if kind < 0.80:
            around = [self._stretch(12 if room < 200 else 40) for _ in range(rng.choice((2, 2, 2, 3, 4)))]
            return scattered_page(writer, rng, self._subject(longest=6), around)
        if kind < 0.92:
            shots = rng.randint(2, 4 if room < 200 else 20)
            same = rng.random() < 0.3
            subjects = [self._subject(longest=3)] * shots if same else [self._subject(longest=3) for _ in range(shots)]
            return few_shot_page(writer, rng, subjects)
        return repetition_page(writer, rng, self._subject(longest=4), rng.randint(3, min(60, max(4, room // 3))))

    def _stretch(self, longest: int) -> Ids:
        """A few tokens of the text, perhaps none."""
        paragraph = self._rng.choice(self._inventory.text)
        start = self._rng.randrange(len(paragraph))
        return paragraph[start : start + self._rng.randint(0, longest)]

    def _subject(self, *, longest: int) -> Ids:
        """What is to be repeated: one token, or a few of the text or of the vocabulary."""
        rng, inventory = self._rng, self._inventory
        if rng.random() < self._mix.single:
            return [rng.choice(inventory.subjects)]
        size = rng.randint(2, longest)
        if rng.random() < 0.5:
            return [rng.choice(inventory.ordinary) for _ in range(size)]
        paragraph = rng.choice(inventory.text)
        start = rng.randrange(max(1, len(paragraph) - size))
        span = paragraph[start : start + size]
        return span if len(span) > 1 else [rng.choice(inventory.subjects)]
