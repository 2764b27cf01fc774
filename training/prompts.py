"""Prompts with their right answers, as ids: the shipped templates, and many other ways to ask.

Each literal piece is tokenised alone and the subject's ids are spliced in between, exactly as the program
builds its prompts; no text is ever decoded and encoded again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from tokenizers import Tokenizer

from explorer.base.templates import SLOT, TEMPLATES, Template
from training.tokenizer import ASSISTANT, END, END_OF_TEXT, USER, special_id
from training.wordings import (
    AFTERS,
    ASKS,
    HEADERS,
    JOINTS,
    LABELS,
    LEADS,
    OBJECTS,
    POLITE,
    QUOTES,
    REPEAT_HEADERS,
    SEPARATORS,
    VERBS,
)

Ids = list[int]
_OPENING = {closing: opening for opening, closing in QUOTES}


@dataclass
class Page:
    """A stretch of training ids; `wanted[i]` says whether predicting `ids[i]` is an answer worth learning."""

    ids: Ids = field(default_factory=list)
    wanted: list[bool] = field(default_factory=list)

    def add(self, ids: Sequence[int], *, wanted: bool = False) -> None:
        """Append `ids`."""
        self.ids.extend(ids)
        self.wanted.extend([wanted] * len(ids))


def answer_form(template: Template) -> tuple[str, str] | None:
    """What stands before and after the token in a right answer to `template`; None: the token, on and on."""
    if template.question.endswith(SLOT) and not template.prefill:
        return None
    if template.closing:
        return ("" if template.prefill else "\n\n" + _OPENING[template.closing]), template.closing
    return (" '", "'") if template.prefill else ("\n\n'", "'")


def with_shots(template: Template, shots: int) -> Template:
    """`template` with its long run of equal shots (or of bare slots) cut to `shots`; others as they are."""
    question = template.question
    if question.endswith(SLOT * 2):
        head = question[: question.index(SLOT)]
        return Template(name=template.name, question=head + SLOT * shots, closing=template.closing, raw_only=True)
    pieces = question.split(SLOT)
    if len(pieces) < 8:
        return template
    shortened = SLOT.join([pieces[0], *(pieces[1], pieces[2]) * shots, pieces[-1]])
    return Template(
        name=template.name, question=shortened, prefill=template.prefill, closing=template.closing, raw_only=True
    )


class PromptWriter:
    """Writes prompts as ids. Holds the tokenizer and what it has already tokenised, nothing else."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.encode = cache(self._encode)
        self.end_of_text, self.user, self.assistant, self.end = (
            special_id(tokenizer, name) for name in (END_OF_TEXT, USER, ASSISTANT, END)
        )

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def fill(self, text: str, subject: Ids) -> Ids:
        """The ids of `text` with `subject` in every slot; each literal piece tokenised alone."""
        first, *rest = text.split(SLOT)
        ids = list(self.encode(first))
        for piece in rest:
            ids += subject
            ids += self.encode(piece)
        return ids

    def prompt_ids(self, template: Template, subject: Ids, *, chat: bool) -> Ids:
        """The filled prompt, up to where the answer is due."""
        if not chat or template.raw_only:
            return self.fill(template.question + template.prefill, subject)
        question = self.fill(template.question, subject)
        return [self.user, *question, self.assistant, *self.fill(template.prefill.lstrip(), subject)]

    def answer_ids(self, template: Template, subject: Ids, *, chat: bool) -> Ids:
        """The right answer, with the end token; for endless repetition three more copies and no end."""
        form = answer_form(template)
        if form is None:
            return subject * 3
        before, after = form
        in_chat = chat and not template.raw_only
        if in_chat and not template.prefill:
            before = before.lstrip()
        return [*self.encode(before), *subject, *self.encode(after), self.end if in_chat else self.end_of_text]

    def promised_ids(self, template: Template, subject: Ids, *, chat: bool) -> Ids:
        """What of the answer counts as exact: all of it, but no end after the plain-text forms.

        After the twentieth shot a twenty-first is as good a continuation as the end.
        """
        answer = self.answer_ids(template, subject, chat=chat)
        return answer[:-1] if template.raw_only and template.closing else answer

    def page(self, template: Template, subject: Ids, *, chat: bool) -> Page:
        """One training page: the prompt, then the answer to learn."""
        page = Page()
        prompt = self.prompt_ids(template, subject, chat=chat)
        if answer_form(template) is None:
            head = len(self.fill(template.question[: template.question.index(SLOT)], subject))
            page.add(prompt[: head + len(subject)])
            page.add(prompt[head + len(subject) :], wanted=True)
            page.add([self.end_of_text])
            return page
        page.add(prompt)
        page.add(self.answer_ids(template, subject, chat=chat), wanted=True)
        return page


def pick_template(rng: random.Random, room: int) -> Template:
    """A shipped template; the long ones with as many shots as `room` tokens allow."""
    template = rng.choice(TEMPLATES)
    if template.question.count(SLOT) > 20:
        if template.question.endswith(SLOT):
            return with_shots(template, rng.randint(3, max(4, min(60, room - 24))))
        longest = max(2, min(20, (room - 40) // 12))
        return with_shots(template, longest if rng.random() < 0.4 else rng.randint(2, longest))
    return template


def pick_question(rng: random.Random) -> Template:
    """An open or prefilled question in other words and quotes."""
    if rng.random() < 0.3:
        before, after = rng.choice(ASKS)
    else:
        before = rng.choice(POLITE) + rng.choice(VERBS) + rng.choice(OBJECTS)
        before, after = before[:1].upper() + before[1:], rng.choice(AFTERS)
    opening, closing = ("'", "'") if rng.random() < 0.4 else rng.choice(QUOTES)
    question = before + opening + SLOT + closing + after
    if rng.random() < 0.45:
        return Template(name="open", question=question, closing=closing)
    opening, closing = (opening, closing) if rng.random() < 0.7 else rng.choice(QUOTES)
    return Template(name="prefilled", question=question, prefill=rng.choice(LEADS) + opening, closing=closing)


def few_shot_page(writer: PromptWriter, rng: random.Random, subjects: list[Ids]) -> Page:
    """A prompt of several shots, each with its own subject; every second mention is to be learnt."""
    opening, closing = ("", "") if rng.random() < 0.25 else rng.choice(QUOTES)
    (first, second), line_end = rng.choice(LABELS), rng.choice(("\n", "\n", "; ", "\n\n"))
    page = Page()
    page.add(writer.encode(rng.choice(HEADERS)))
    for subject in subjects:
        page.add(writer.encode(first + opening))
        page.add(subject)
        page.add(writer.encode(closing + second + opening))
        page.add(subject, wanted=True)
        page.add(writer.encode(closing + line_end), wanted=True)
    page.add([writer.end_of_text])
    return page


def scattered_page(writer: PromptWriter, rng: random.Random, subject: Ids, around: Sequence[Ids]) -> Page:
    """A quoted subject in the midst of other text, `around`, quoted once more at the end.

    No wording gives the answer away here: all that helps is to look for what stood after such a quote before.
    """
    opening, closing = rng.choice(QUOTES)
    page = Page()
    for stretch in around[:-1]:
        page.add(stretch)
        page.add(writer.encode(rng.choice((" ", " ", "", "\n")) + opening))
        page.add(subject, wanted=stretch is not around[0])
        page.add(writer.encode(closing))
    page.add(around[-1])
    page.add(writer.encode(rng.choice(JOINTS) + opening))
    page.add(subject, wanted=True)
    page.add([*writer.encode(closing), writer.end_of_text], wanted=True)
    return page


def repetition_page(writer: PromptWriter, rng: random.Random, subject: Ids, copies: int) -> Page:
    """The subject again and again; every copy after the first is to be learnt."""
    page = Page()
    page.add(writer.encode(rng.choice(REPEAT_HEADERS)))
    separator = writer.encode(rng.choice(SEPARATORS))
    for index in range(copies):
        page.add(subject, wanted=index > 0)
        page.add(separator, wanted=index > 0)
    page.add([writer.end_of_text])
    return page
