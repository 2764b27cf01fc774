"""The prompt forms that ask a model to say one token, as data.

A template is text with slots; a token's *id* goes into each slot (`behaviour.prompts` does that), so the
text around the slots is all that is ever tokenised. Nothing here imports torch: the screen, the
command line and the engine read the same list.
"""

from __future__ import annotations

import msgspec

from explorer.base.errors import UsageError

SLOT = "{token}"

REPEAT_QUESTION = "Please can you repeat back the string '{token}' to me?"


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt form with a slot for one token.

    A plain (base) model reads `question + prefill`. An instruct model reads its tokenizer's chat
    template with `question` as the user's turn and `prefill`, left-stripped, as the beginning of its own
    answer, unless `raw_only`.
    """

    name: str
    """Short name, as typed after `--template`."""
    question: str
    """What is asked; `{token}` marks each slot, at least one."""
    prefill: str = ""
    """The beginning of the answer, put into the model's mouth; ends where the token is due. May be empty,
    and may itself hold slots (the shots of a few-shot prompt stand in `question`)."""
    closing: str = ""
    """What follows the token in a right answer (a closing quote); generation stops after it. Empty: nothing."""
    window: int = 0
    """How many reply positions are searched for the token's greatest log-probability; 0: all of them."""
    raw_only: bool = False
    """True where the published form is plain text and must not be wrapped in a chat template."""
    max_new_tokens: int = 16
    """Default length of the reply, in tokens."""
    source: str = ""
    """Where the form was published."""


_POST = "Rumbelow & Watkins, 'SolidGoldMagikarp (plus, prompt generation)', 2023"
_FISHING = "Land & Bartolo, 'Fishing for Magikarp', arXiv 2405.05417, and its code"
_MINER = "Wu et al., 'GlitchMiner', arXiv 2410.15052, and its code"

TEMPLATES: tuple[Template, ...] = (
    Template(name="repeat-1", question=REPEAT_QUESTION, source=_POST),
    Template(name="repeat-2", question="Please repeat back the string '{token}' to me.", source=_POST),
    Template(name="repeat-3", question="Please repeat the string '{token}' back to me.", source=_POST),
    Template(name="repeat-4", question="Can you repeat back the string '{token}' to me please?", source=_POST),
    Template(
        name="string-is", question=REPEAT_QUESTION, prefill="\n\nThe string is '", closing="'", window=1, source=_POST
    ),
    Template(
        name="word-is", question=REPEAT_QUESTION, prefill="\n\nThe word is '", closing="'", window=1, source=_POST
    ),
    Template(
        name="magikarp-20-shot",
        question="This device repeats its input exactly, as shown in these 100 identical trials."
        + "\nInput: «{token}»\nOutput: «{token}»" * 20
        + "\nInput: «{token}»\nOutput:",
        prefill=" «",
        closing="»",
        window=3,
        raw_only=True,
        max_new_tokens=3,
        source=_FISHING,
    ),
    Template(
        name="magikarp-dialogue",
        question="This helpful assistant explains what a phrase means, replying with identical responses to"
        " identical questions for reliability.\nUser: What does 'edslfkj' mean?\nAssistant: 'edslfkj' has no"
        " specific meaning I am aware of.\nUser: what does '{token}' mean?\nAssistant:",
        prefill=" '",
        closing="'",
        window=3,
        raw_only=True,
        max_new_tokens=3,
        source=_FISHING,
    ),
    Template(
        name="magikarp-repeats",
        question="Below is the output, as you can see it's just giving the same phrase repeated indefinitely:\n"
        + SLOT * 50,
        window=3,
        raw_only=True,
        max_new_tokens=3,
        source=_FISHING + " (which writes 50 pairs and one more, 101 in all; 50 here)",
    ),
    Template(
        name="glitchminer",
        question='Please repeat the string: "«{token}»"',
        prefill=' Sure, the string is: "«',
        closing="»",
        window=1,
        source=_MINER,
    ),
    Template(
        name="glitchminer-question",
        question="Question: Please can you repeat the string '{token}'?",
        prefill=" Of course! Here is the repeated string:'",
        closing="'",
        window=1,
        source=_MINER,
    ),
    Template(
        name="substring",
        question="Question: Can you repeat the string '{token}' and return back to me?",
        prefill="\nAnswer: Here is the repeated string:",
        max_new_tokens=10,
        source="Zhang et al., 'GlitchProber', arXiv 2408.04905",
    ),
)
"""The templates the program ships, in the order shown."""


class TemplateError(UsageError):
    """A template that cannot be used; the message says why and what to write instead."""


def check_template(template: Template) -> Template:
    """Return `template`, or raise `TemplateError` where it has no slot or no name."""
    if not template.name.strip():
        raise TemplateError("a template needs a name")
    if SLOT not in template.question + template.prefill:
        raise TemplateError(f"template {template.name!r} has no slot: write {SLOT} where the token goes")
    return template


def find_template(name: str, extra: tuple[Template, ...] = ()) -> Template:
    """The template called `name`, the user's `extra` ones first; raises `TemplateError` with the known names."""
    for template in (*extra, *TEMPLATES):
        if template.name == name:
            return template
    known = ", ".join(template.name for template in (*extra, *TEMPLATES))
    raise TemplateError(f"no template is called {name!r}; there are: {known}")
