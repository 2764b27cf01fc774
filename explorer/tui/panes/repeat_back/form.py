"""The options of a repeat-back: template and its text, sampling, controls, and which models are asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Select, Static, TextArea

from explorer.base.records.repeat_back import RepeatBack
from explorer.base.templates import TEMPLATES, Template, TemplateError, check_template
from explorer.base.text import visible
from explorer.tui.widgets.fields import FieldRows
from explorer.tui.widgets.form_status import FormStatus
from explorer.tui.widgets.option_line import Choice, Field, FormError, Ticks
from explorer.tui.widgets.prompt_area import PromptArea
from explorer.tui.widgets.prompt_lines import by_name

EDITED = "edited"
"""The name of a template whose text was changed in the form."""
RUN, KEYS = "r/enter run  ctrl+j newline", "ctrl+t ids  w whole  x tick"


@dataclass(frozen=True)
class RepeatOptions:
    """How a token is asked about, as `RepeatBack` has it."""

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    max_new_tokens: int | None = None
    controls: int = 3


class RepeatForm(FieldRows):
    """The fields, each reached by `tab`; `read` gives what they hold or raises `FormError`."""

    DEFAULT_CSS = """
    RepeatForm {
        & #template { width: 24; }
        & #samples, & #controls { width: 4; }
        & #temperature, & #top-p { width: 5; }
        & #seed { width: 6; }
        & #max-new-tokens { width: 5; }
        & #others { color: $text-muted; height: auto; display: none; }
        & #others.-some { display: block; }
    }
    """

    def __init__(self, templates: Sequence[Template] = TEMPLATES, options: RepeatOptions | None = None) -> None:
        super().__init__()
        self._templates = by_name(templates)
        self._options = options or RepeatOptions()
        self._base = next(iter(self._templates.values()))
        self._edited = self._base

    def compose(self) -> ComposeResult:
        options = self._options
        most = "" if options.max_new_tokens is None else str(options.max_new_tokens)
        with Horizontal():
            yield Label("template")
            yield Choice([*self._templates, EDITED], value=self._base.name, id="template")
            yield Label("controls", classes="gap")
            yield Field(str(options.controls), restrict=r"\d*", id="controls")
        with Horizontal():
            yield Label("samples")
            yield Field(str(options.samples), restrict=r"\d*", id="samples")
            yield Label("T", classes="gap")
            yield Field(f"{options.temperature:g}", restrict=r"[\d.]*", id="temperature")
            yield Label("top-p", classes="gap")
            yield Field(f"{options.top_p:g}", restrict=r"[\d.]*", id="top-p")
            yield Label("seed", classes="gap")
            yield Field(str(options.seed), restrict=r"\d*", id="seed")
            yield Label("max", classes="gap")
            yield Field(most, restrict=r"\d*", placeholder=str(self._base.max_new_tokens), id="max-new-tokens")
        with Horizontal():
            yield Label("ask")
            yield Ticks(id="models")
        yield Static(markup=False, id="others")
        with Horizontal():
            yield Label("question")
            yield PromptArea(self._base.question, id="question")
        with Horizontal():
            yield Label("prefill ")
            yield Field(escape(self._base.prefill), placeholder="no beginning of the reply", id="prefill")
        yield FormStatus(RUN, KEYS, id="status")

    def set_models(self, names: Sequence[str], others: Sequence[str], *, loading: str = "") -> None:
        """Offer the models called `names`; `others` have another tokenizer and are only named; `loading`: which ones
        are on their way."""
        self.query_one(Ticks).set_names(names, empty=loading)
        line = self.query_one("#others", Static)
        words = f"{', '.join(visible(name) for name in others)}: other tokenizer, inspect the token there"
        if words != line.content:
            line.update(words)
        line.set_class(bool(others), "-some")

    def untick(self, names: Collection[str]) -> None:
        """Tick every model but those called `names`."""
        self.query_one(Ticks).untick(names)

    def show_request(self, request: RepeatBack) -> None:
        """Hold what `request` asked with; a template that is not among those offered is shown as the edited one."""
        template = request.template
        known = self._templates.get(template.name) == template
        self._edited = self._edited if known else msgspec.structs.replace(template, name=EDITED)
        self._base = template if known else self._base
        shown = template if known else self._edited
        values = {
            "samples": str(request.samples),
            "temperature": f"{request.temperature:g}",
            "top-p": f"{request.top_p:g}",
            "seed": str(request.seed),
            "controls": str(request.controls),
            "max-new-tokens": "" if request.max_new_tokens is None else str(request.max_new_tokens),
            "prefill": escape(shown.prefill),
        }
        self.query_one("#template", Choice).choose(shown.name)
        self.query_one("#max-new-tokens", Field).placeholder = str(shown.max_new_tokens)
        with self.prevent(TextArea.Changed, Input.Changed):
            for field, value in values.items():
                self.query_one(f"#{field}", Field).value = value
            self.query_one("#question", PromptArea).text = shown.question
        self.check()

    @property
    def models(self) -> tuple[str, ...]:
        """The models to ask."""
        return self.query_one(Ticks).ticked

    @property
    def template_name(self) -> str:
        """The name of the template chosen, `edited` where its text was changed."""
        return self.query_one("#template", Choice).chosen

    def read(self) -> tuple[Template, RepeatOptions]:
        """The template and the options; raises `FormError` with what is wrong, for the line below the fields."""
        try:
            template = check_template(self._template())
        except TemplateError as error:
            raise FormError(str(error)) from error
        most = self.query_one("#max-new-tokens", Field).value
        return template, RepeatOptions(
            samples=self._whole("samples", least=1),
            temperature=self._number("temperature", 0.0, 100.0),
            top_p=self._number("top-p", 0.001, 1.0),
            seed=self._whole("seed"),
            max_new_tokens=self._whole("max-new-tokens", least=1) if most else None,
            controls=self._whole("controls"),
        )

    def check(self) -> bool:
        """Whether `read` would succeed; says on the line below the fields what is wrong."""
        return self.query_one(FormStatus).check(self.read)

    def _template(self) -> Template:
        """The template whose text the form shows: one of those given, or the last chosen one, edited."""
        question = self.query_one("#question", PromptArea).text
        prefill = unescape(self.query_one("#prefill", Field).value)
        if (question, prefill) == (self._base.question, self._base.prefill):
            return self._base
        return msgspec.structs.replace(self._base, name=EDITED, question=question, prefill=prefill, source="")

    @on(Select.Changed, "#template")
    def _show_template(self) -> None:
        """The text of the template chosen; for `edited`, the last edited one."""
        name = self.template_name
        shown = self._edited if name == EDITED else self._templates[name]
        self._base = shown if name != EDITED else self._base
        self.query_one("#max-new-tokens", Field).placeholder = str(shown.max_new_tokens)
        with self.prevent(TextArea.Changed, Input.Changed):
            self.query_one("#question", PromptArea).text = shown.question
            self.query_one("#prefill", Field).value = escape(shown.prefill)
        self.check()

    @on(TextArea.Changed, "#question")
    @on(Input.Changed, "#prefill")
    def _note_edit(self) -> None:
        template = self._template()
        if template.name == EDITED:
            self._edited = template
        self.query_one("#template", Choice).choose(template.name)
        self.check()

    @on(Input.Changed)
    def _check_numbers(self) -> None:
        self.check()

    def _whole(self, field: str, least: int = 0) -> int:
        text = self.query_one(f"#{field}", Field).value
        if not text.isdecimal() or int(text) < least:
            raise FormError(f"{field}: write a whole number from {least} up")
        return int(text)

    def _number(self, field: str, low: float, high: float) -> float:
        text = self.query_one(f"#{field}", Field).value
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not low <= number <= high:
            raise FormError(f"{field}: write a number from {low:g} to {high:g}")
        return number


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}


def escape(text: str) -> str:
    """`text` on one line: line breaks, tabs, control characters and backslashes as escapes."""
    return "".join(
        _ESCAPES.get(character) or (character if character.isprintable() else f"\\u{{{ord(character):x}}}")
        for character in text
    )


def unescape(text: str) -> str:
    """The inverse of `escape`; an escape it does not know stays as it is written."""
    return re.sub(r"\\(?:u\{([0-9a-f]{1,6})\}|([ntr\\]))", _unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    code, letter = match.groups()
    if letter:
        return {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}[letter]
    return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else match.group()
