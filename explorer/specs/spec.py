"""What is said of a verb, in one place: `Spec`. No torch, no screen.

A verb is four files: its records (`explorer.base.records`), its answer (`explorer.engine.answers`), its spec (a module
of this folder) and its pane (`explorer.tui.panes`). The spec names answer and pane by where they stand, `module:name`,
so that the screen never imports the engine and the command line never imports the screen. Everything that has to do
with verbs in general (command line, sessions, reports, checks, the explorer) asks `explorer.specs.registry` for the
spec of a request and never looks at the request's kind itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from explorer.base.records.models import Ability, ModelInfo
from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.tokens import TokenRow
from explorer.settings import Settings
from explorer.specs.blocks import Block
from explorer.specs.command_line import Row, Verb
from explorer.specs.comparing.agreement import Agreement, Comparison, compare_plainly

Q = TypeVar("Q", bound=Request)
A = TypeVar("A", bound=Outcome)


class Tab(msgspec.Struct, frozen=True, kw_only=True):
    """A place on the screen where the outcomes of some requests are shown, and the key that asks for them."""

    name: str
    """One word; the pane's id is `<name>-pane`, the command that shows it `show_<name>`."""
    title: str
    """On the tab, in the help, in the palette and in the README."""
    short_title: str = ""
    """On the tab where the row is too narrow for every `title`; empty: the title."""
    pane: str
    """`module:class` of the pane."""
    help: str
    """One sentence: what is shown."""
    side: Literal["left", "right"] = "right"
    """`left`: the column of the token table, always shown on a wide screen."""
    number: int = 0
    """Its place in the row of tabs and the digit that shows it; 0: behind the others (left column: no tab)."""
    key: str = ""
    """The key that asks what this pane asks of the selected token; empty: there is none."""
    command: str = ""
    """That command's name in the settings' `[keys]` table."""
    command_title: str = ""
    """Two or three words, for the footer and the palette."""
    command_help: str = ""
    """One sentence."""


class Live(Protocol):
    """The live models, as a check sees them."""

    marks: Mapping[str, set[int]]
    """Marked ids at this point of the session, by the model's recorded name."""

    def recorded(self, model: str) -> ModelInfo:
        """The model of the session, by its recorded name."""

    def live(self, model: str) -> ModelInfo:
        """The live model that stands for it."""

    async def ask(self, request: Request) -> Any:
        """The live outcome of a request that speaks of live models."""


def no_blocks(request: Any, outcome: Any) -> Iterable[Block]:
    """An outcome that a summary says all of."""
    return ()


def no_rows(outcome: Any) -> tuple[TokenRow, ...]:
    """An outcome without rows of tokens."""
    return ()


def no_subject(request: Any, outcome: Any) -> TokenRow | None:
    """A step that is about no token in particular."""
    return None


def no_json(outcome: Any) -> Iterable[Row]:
    """An outcome of which the command line writes no JSON."""
    return ()


def needs_nothing(request: Any) -> frozenset[Ability]:
    """A request that any model can answer."""
    return frozenset()


def no_advice(request: Any, missing: frozenset[Ability]) -> str:
    """Nothing but another model will do."""
    return ""


def never(request: Any) -> bool:
    """Of no request."""
    return False


def unchanged(request: Any, settings: Settings) -> Any:
    """The request as it is, whatever the settings."""
    return request


async def ask_plainly(request: Any, recorded: Any, live: Live) -> Any:
    """Ask the same again. `request` speaks of the live models, `recorded` is the request of the session."""
    return await live.ask(request)


async def nothing_more(request: Any, outcome: Any, live: Live, found: Agreement) -> str:
    """All has been compared."""
    return ""


class Spec(msgspec.Struct, Generic[Q, A], frozen=True, kw_only=True):
    """Everything that is said of one kind of request and its outcome. What is not said takes the usual way."""

    request: type[Q]
    outcome: type[A]
    parts: tuple[type[Record], ...] = ()
    """The kinds of parts that come before the outcome, besides `Progress`."""

    # ── in words ──
    describe: Callable[[Q], str]
    """What was asked, one line, safe to show."""
    summarise: Callable[[A], str]
    """What came back, one line of words and numbers, safe to show."""
    blocks: Callable[[Q, A], Iterable[Block]] = no_blocks
    """What came back, in full: for the command line, reports and panes."""

    # ── in the engine ──
    answer: str = ""
    """`module:function` of the handler, `(engine, request, control) -> Work`; empty: answered without the engine."""
    needs: Callable[[Q], frozenset[Ability]] = needs_nothing
    """The abilities that each model of the request must have."""
    advise: Callable[[Q, frozenset[Ability]], str] = no_advice
    """What else may be asked of a model that lacks the abilities given: a hint; empty: load another model."""
    background: Callable[[Q], bool] = never
    """Whether quicker requests may pass it while it runs."""
    resumable: bool = False
    """Whether what was found is kept on disk, so that it can be paused and resumed."""

    # ── which models and which token it speaks of ──
    models: tuple[str, ...] = ("model",)
    """The request's fields that name loaded models, one name or several; a dot leads into a nested request."""
    token: str = ""
    """The request's field with the id of the token that it is about, if any."""
    subject: Callable[[Q, Any], TokenRow | None] = no_subject
    """The token that a step is about, with as much as the step says of it; its outcome may be of any kind."""
    rows: Callable[[A], tuple[TokenRow, ...]] = no_rows
    """The tokens of which the outcome holds rows."""

    # ── in a session ──
    recorded: bool = True
    """False: never stands in a session file."""
    sources: tuple[str, ...] = ()
    """The request's fields that may name a folder of this machine; a session keeps the last part of it."""
    checked: bool = True
    """False: there is nothing to ask again when a session is checked or compared with another one."""
    compare: Callable[[Q, A, A, Comparison], Agreement] = compare_plainly
    """Whether two outcomes agree: exactly, within a tolerance, or by their samples."""
    ask_again: Callable[[Q, Q, Live], Awaitable[Any]] = ask_plainly
    """How it is asked when a session is checked."""
    look_closer: Callable[[Q, A, Live, Agreement], Awaitable[str]] = nothing_more
    """What else must hold of a recorded outcome that agrees; the difference in words, or nothing."""

    # ── on the command line ──
    verb: Verb | None = None
    json_rows: Callable[[A], Iterable[Row]] = no_json
    """The outcome as JSON objects."""

    # ── on the screen ──
    tab: Tab | None = None
    """Where it is shown; None: nowhere."""
    with_settings: Callable[[Q, Settings], Q] = unchanged
    """What a pane asks, completed by the user's settings."""
    selects_model: bool = False
    """Whether a step of this kind tells which model's vocabulary was in the table."""
    holds_indicators: bool = False
    """Whether its rows hold indicators: numbers of one model, which may not be taken for another's."""
    press: Callable[[Q], tuple[str, Q]] | None = None
    """Where one press of a key sends several requests: what this one differs from the others in, and the request
    without that."""
    stands_beside: Callable[[Q, Any, Q], bool] | None = None
    """Whether an earlier step (its request and outcome) was still on the screen beside a later one (its request)."""
