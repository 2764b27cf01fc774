"""Records and a small App for the tests of the Repeat-back and Logprobs panes."""

from __future__ import annotations

from textual.app import App, ComposeResult

from explorer.base.records.models import ModelInfo, Roster
from explorer.base.records.repeat_back import Reply, ReplyClass, TokenReplies
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest, Step
from explorer.base.templates import SLOT
from explorer.tui.panes.base import Pane
from explorer.tui.shell.messages import Ask, Remark, Selection
from explorer.tui.shell.themes import load_themes, themes_dir

SIZES = [(80, 22), (120, 34), (200, 54)]

HOSTILE = [
    b"[/foo]",
    b"[bold]",
    b"\x1b[31m",
    b"\x1b]52;c;aGk=\x07",
    "\u202e".encode(),
    "👩‍👩‍👧".encode(),
    b"\t",
    b"\n\n",
    b"\xc3",
    b"x" * 300,
    "龍馬".encode(),
    b"",
]


def model(name: str, *, tokenizer: str = "a", can_run: bool = True) -> ModelInfo:
    return ModelInfo(
        name=name,
        source=f"zoo:{name}",
        architecture="gpt2",
        dtype="float32",
        device="cpu",
        vocab_size=3072,
        tokenizer_size=3072,
        d_model=64,
        tokenizer_digest=tokenizer,
        can_run=can_run,
    )


def token_row(token_id: int, token_bytes: bytes) -> TokenRow:
    text = token_bytes.decode("utf-8", "replace")
    return TokenRow(
        token_id=token_id,
        token_bytes=token_bytes.hex(),
        text=text,
        category="ok",
        indicators={},
        percentiles={},
        robust_z={},
    )


def ref(row: TokenRow) -> TokenRef:
    return TokenRef(token_id=row.token_id, token_bytes=row.token_bytes, text=row.text)


TOKEN = token_row(742, b" VelvetTurbine")
MODELS = (
    model("mynah"),
    model("mynah-instruct"),
    model("lyrebird"),
    model("starling", tokenizer="b"),
    model("geometry", can_run=False),
)
SELECTION = Selection(roster=Roster(models=MODELS, devices=()), model=MODELS[0], token=TOKEN)


def reply(sample: int, text: str, outcome: ReplyClass = "other", logprob: float | None = -17.13) -> Reply:
    return Reply(
        sample=sample,
        reply_ids=(900 + sample, 901),
        reply=text,
        outcome=outcome,
        finish="eos",
        token_logprob=logprob,
        token_rank=None if logprob is None else 1204,
        token_position=None if logprob is None else 0,
        logprobs=(-1.0, -2.0),
    )


def probe(row: TokenRow, form: str, replies: list[Reply], *, reencodes: bool = True) -> TokenReplies:
    return TokenReplies(
        token=ref(row),
        prompt_ids=(1, row.token_id, 2),
        prompt=form.replace(SLOT, row.text),
        slot_positions=(1,),
        reencodes=reencodes,
        replies=tuple(replies),
        exact=sum(each.outcome == "exact" for each in replies),
        interval=(0.0, 0.32),
    )


def step(request: AnyRequest, outcome: AnyOutcome) -> Step:
    return Step(number=1, at="2026-11-20T00:00:00Z", seconds=0.5, request=request, outcome=outcome)


class Harness(App[None]):
    """Shows one pane; notes what it asks and tells it that it was asked, as the App does."""

    def __init__(self, pane: Pane, selection: Selection | None = SELECTION) -> None:
        super().__init__()
        self.pane = pane
        self.first_selection = selection
        self.asked: list[AnyRequest] = []
        self.remarks: list[str] = []
        for theme in load_themes(themes_dir()):
            self.register_theme(theme)
        self.theme = "nightjar"

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        if self.first_selection is not None:
            self.pane.selection = self.first_selection

    def on_ask(self, message: Ask) -> None:
        self.asked.append(message.request)
        self.pane.show_asked(message.request)

    def on_remark(self, message: Remark) -> None:
        self.remarks.append(message.text)

    def screen_lines(self) -> list[str]:
        """The screen as it is sent to the terminal, without colours."""
        return [strip.text for strip in self.screen._compositor.render_strips()]
