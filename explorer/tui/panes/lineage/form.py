"""What can be chosen in the Lineage pane, and the `FindLineage` that the choices make."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label

from explorer.base.indicator_names import with_labels
from explorer.base.records.lineage import ALPHA, CHOSEN, MOST, PROMPTS, FindLineage
from explorer.base.records.tokens import INDICATORS
from explorer.base.templates import TEMPLATES, Template
from explorer.tui.panes.lineage.roles import Role, RoleTicks
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.fields import FieldRows
from explorer.tui.widgets.form_status import FormStatus
from explorer.tui.widgets.option_line import Choice, Field, FormError, Ticks
from explorer.tui.widgets.prompt_lines import by_name

RUN, KEYS = "B/enter run", "x role  tab next field"
NEVER, MARKED, NAMED = "never trained", "marked", "as asked"
_LEAST = "least "
TOKENS = (NEVER, MARKED, *(f"{_LEAST}{name}" for name in INDICATORS), NAMED)
"""Which tokens are asked about; `NAMED` stands for those that a headless run or a session named."""
RAW, CHAT = "raw text", "chat format"


class LineageForm(FieldRows):
    """The fields, each reached by `tab`; `request` gives what they hold or raises `FormError`."""

    DEFAULT_CSS = """
    LineageForm {
        & #tokens { width: 1fr; max-width: 34; }
        & #count { width: 4; }
        & #alpha { width: 7; }
        & #format { width: 15; }
        & #prompts { width: 1fr; }
    }
    """

    def __init__(self, templates: Sequence[Template] = TEMPLATES, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._templates = by_name(templates)
        self._named: tuple[int, ...] = ()
        """The tokens of the request that is shown, where it named them."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label("models ")
            yield RoleTicks(id="roles")
        with Horizontal():
            yield Label("tokens ")
            yield Field(str(CHOSEN), restrict=r"\d*", id="count")
            yield Choice(TOKENS, value=NEVER, label=with_labels, id="tokens")
        with Horizontal():
            yield Label("prompts")
            yield Field(",".join(PROMPTS), id="prompts")
        with Horizontal():
            yield Label("child in")
            yield Choice((RAW, CHAT), value=RAW, id="format")
            yield Label("alpha", classes="gap")
            yield Field(f"{ALPHA:g}", restrict=r"[\d.e-]*", id="alpha")
        yield FormStatus(RUN, KEYS, id="status")

    def offer(self, selection: Selection) -> None:
        """Offer the models that run."""
        shown = selection.model.name if selection.model is not None else ""
        names = [info.name for info in selection.roster.models if info.can_run]
        self.query_one(RoleTicks).offer(names, shown=shown, empty=selection.loading)

    def show_request(self, request: FindLineage) -> None:
        """Hold what `request` asked with."""
        roles: dict[str, Role] = {}
        roles.update(dict.fromkeys(request.references, "reference"))
        roles.update(dict.fromkeys(request.bases, "base"))
        roles.update(dict.fromkeys(request.children, "child"))
        self.query_one(RoleTicks).give(roles)
        self._named = request.token_ids
        chosen = NAMED if request.token_ids else f"{_LEAST}{request.indicator}" if request.indicator else NEVER
        self.query_one("#tokens", Choice).choose(chosen if chosen in TOKENS else NEVER)
        self.query_one("#format", Choice).choose(CHAT if request.chat == "auto" else RAW)
        self._templates |= {template.name: template for template in request.templates}
        with self.prevent(Input.Changed):
            self.query_one("#count", Field).value = str(request.count)
            self.query_one("#alpha", Field).value = f"{request.alpha:g}"
            self.query_one("#prompts", Field).value = ",".join(template.name for template in request.templates)
        self.check()

    def request(self, marked: frozenset[int]) -> FindLineage:
        """What the fields hold; raises `FormError` with what is wrong."""
        roles, tokens = self.query_one(RoleTicks), self.query_one("#tokens", Choice).chosen
        children, bases = roles.in_role("child"), roles.in_role("base")
        if not children or not bases:
            raise FormError("models: one child and one base at least; x gives the next role, m loads more")
        if tokens == MARKED and not marked:
            raise FormError("tokens: none is marked: space marks the one under the cursor of the table")
        if tokens == NAMED and not self._named:
            raise FormError("tokens: no question named any: choose others")
        return FindLineage(
            children=children,
            bases=bases,
            references=roles.in_role("reference"),
            templates=self._prompts(),
            token_ids=tuple(sorted(marked)) if tokens == MARKED else self._named if tokens == NAMED else (),
            count=self._count(),
            indicator=tokens.removeprefix(_LEAST) if tokens.startswith(_LEAST) else "",
            chat="auto" if self.query_one("#format", Choice).chosen == CHAT else "never",
            alpha=self._alpha(),
        )

    def check(self) -> bool:
        """Whether the text fields hold what can be asked; says on the line below them what is wrong."""
        return self.query_one(FormStatus).check(lambda: (self._prompts(), self._count(), self._alpha()))

    @on(Input.Changed)
    @on(Ticks.Changed)
    def _check_fields(self) -> None:
        self.check()

    def _prompts(self) -> tuple[Template, ...]:
        names = [name.strip() for name in self.query_one("#prompts", Field).value.split(",") if name.strip()]
        if unknown := [name for name in names if name not in self._templates]:
            raise FormError(f"prompts: no template {unknown[0]!r}; there are {', '.join(self._templates)}")
        if not names:
            raise FormError(f"prompts: name templates with commas between, of {', '.join(self._templates)}")
        return tuple(self._templates[name] for name in dict.fromkeys(names))

    def _count(self) -> int:
        text = self.query_one("#count", Field).value
        if not text.isdecimal() or not 2 <= int(text) <= MOST:
            raise FormError(f"tokens: write a whole number from 2 to {MOST}")
        return int(text)

    def _alpha(self) -> float:
        try:
            alpha = float(self.query_one("#alpha", Field).value)
        except ValueError:
            alpha = 0.0
        if not 0 < alpha < 1:
            raise FormError("alpha: write a probability between 0 and 1, as 0.001")
        return alpha
