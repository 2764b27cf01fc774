"""The options of a logprob table: the prompt, the targets, and which models are asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Select, TextArea

from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.templates import SLOT, TEMPLATES, Template
from explorer.tui.widgets.fields import FieldRows
from explorer.tui.widgets.form_status import FormStatus
from explorer.tui.widgets.option_line import Choice, Field, FormError, Ticks
from explorer.tui.widgets.prompt_area import PromptArea
from explorer.tui.widgets.prompt_lines import by_name, template_form

FREE_TEXT = "free text"
FIRST_MODEL = "first"
RUN, KEYS = "l/enter run", "← → column  o sort  F cells  T turn  x tick"
_TARGET = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([^\s"\']\S*)')
_MOST = 1000


@dataclass(frozen=True)
class LogprobOptions:
    """What is asked, as `ReadLogprobs` has it."""

    prompt: str
    template: Template | None
    """Instead of `prompt`, while the text is a template's own."""
    targets: tuple[str, ...]
    top_of: str
    top_k: int

    @property
    def has_slot(self) -> bool:
        """Whether the prompt has a place for the token."""
        return self.template is not None or SLOT in self.prompt


class LogprobForm(FieldRows):
    """The fields, each reached by `tab`; `read` gives what they hold or raises `FormError`."""

    DEFAULT_CSS = """
    LogprobForm {
        & #prompt { width: 21; }
        & #top-k { width: 4; }
        & #top-of { width: 1fr; max-width: 22; }
        & #targets { width: 1fr; }
    }
    """

    def __init__(self, templates: Sequence[Template] = TEMPLATES, chosen: str = "string-is", top_k: int = 10) -> None:
        super().__init__()
        self._templates = by_name(templates)
        self._first = chosen if chosen in self._templates else next(iter(self._templates))
        self._top_k = top_k

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label("prompt ")
            yield Choice([*self._templates, FREE_TEXT], value=self._first, id="prompt")
            yield Label("top", classes="gap")
            yield Field(str(self._top_k), restrict=r"\d*", id="top-k")
            yield Label("of", classes="gap")
            yield Choice([FIRST_MODEL], value=FIRST_MODEL, id="top-of")
        with Horizontal():
            yield Label("text   ")
            yield PromptArea(template_form(self._templates[self._first]), id="text")
        with Horizontal():
            yield Label("targets")
            yield Field(placeholder='empty: the top k; or " See" Windows "a\\n"', id="targets")
        with Horizontal():
            yield Label("ask    ")
            yield Ticks(id="models")
        yield FormStatus(RUN, KEYS, id="status")

    def set_models(self, names: Sequence[str], *, loading: str = "") -> None:
        """Offer the models called `names`; `loading`: which ones are on their way."""
        self.query_one(Ticks).set_names(names, empty=loading)
        self.query_one("#top-of", Choice).set_names([FIRST_MODEL, *names])

    def show_request(self, request: ReadLogprobs) -> None:
        """Hold what `request` asked with; a template that is not among those offered is shown as free text."""
        template = request.template
        known = template is not None and self._templates.get(template.name) == template
        choice, top_of = self.query_one("#prompt", Choice), self.query_one("#top-of", Choice)
        choice.choose(template.name if template is not None and known else FREE_TEXT)
        top_of.choose(request.top_of if request.top_of in top_of.names else FIRST_MODEL)
        with self.prevent(TextArea.Changed, Input.Changed):
            self.query_one("#text", PromptArea).text = template_form(template) if template else request.prompt
            self.query_one("#top-k", Field).value = str(request.top_k)
            self.query_one("#targets", Field).value = " ".join(map(_quoted, request.targets))
        self.check()

    @property
    def models(self) -> tuple[str, ...]:
        """The models to ask."""
        return self.query_one(Ticks).ticked

    def read(self) -> LogprobOptions:
        """What the fields hold; raises `FormError` with what is wrong, for the line below them."""
        chosen = self.query_one("#prompt", Choice).chosen
        text = self.query_one("#text", PromptArea).text
        if not text:
            raise FormError("text: the prompt is empty: write one, {token} where the token goes")
        top_k = self.query_one("#top-k", Field).value
        if not top_k.isdecimal() or not 1 <= int(top_k) <= _MOST:
            raise FormError(f"top: write a whole number from 1 to {_MOST}")
        top_of = self.query_one("#top-of", Choice).chosen
        return LogprobOptions(
            prompt="" if chosen in self._templates else text,
            template=self._templates.get(chosen),
            targets=parse_targets(self.query_one("#targets", Field).value),
            top_of="" if top_of == FIRST_MODEL else top_of,
            top_k=int(top_k),
        )

    def check(self) -> bool:
        """Whether `read` would succeed; says on the line below the fields what is wrong."""
        return self.query_one(FormStatus).check(self.read)

    @on(Select.Changed, "#prompt")
    def _show_template(self) -> None:
        template = self._templates.get(self.query_one("#prompt", Choice).chosen)
        if template is not None:
            with self.prevent(TextArea.Changed):
                self.query_one("#text", PromptArea).text = template_form(template)
        self.check()

    @on(TextArea.Changed, "#text")
    def _note_edit(self) -> None:
        """Text that is no longer the template's own is free text."""
        choice = self.query_one("#prompt", Choice)
        template = self._templates.get(choice.chosen)
        if template is not None and self.query_one("#text", PromptArea).text != template_form(template):
            choice.choose(FREE_TEXT)
        self.check()

    @on(Input.Changed)
    def _check_fields(self) -> None:
        self.check()


def parse_targets(text: str) -> tuple[str, ...]:
    """Targets separated by spaces; quotes keep spaces, and in double ones `\\n`, `\\t`, `\\"`, `\\\\` are escapes.

    A target given twice counts once. Raises `FormError` where a quote is not closed.
    """
    targets: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TARGET.match(text, at)
        if match is None:
            raise FormError(f"targets: the quote at {text[at : at + 12]} is not closed")
        double, single, bare = match.groups()
        targets.append(_unescape(double) if double is not None else single if single is not None else bare)
        at = match.end()
    return tuple(dict.fromkeys(target for target in targets if target))


def _quoted(target: str) -> str:
    """A target as `parse_targets` reads it."""
    if _TARGET.fullmatch(target) and target[0] not in "\"'":
        return target
    escaped = target.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + '"'


def _unescape(text: str) -> str:
    known = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: known.get(match[1], match[1]), text)
