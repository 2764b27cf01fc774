"""Every dialogue by keyboard alone at 80x24."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec
import pytest
from textual.app import App
from textual.binding import BindingType
from textual.widgets import Input

from explorer.base.errors import ExplorerError
from explorer.base.records.models import (
    CatalogueEntry,
    DeviceMemory,
    LoadModel,
    ModelCatalogue,
    ModelInfo,
    Reach,
    Roster,
)
from explorer.base.records.vocabulary import UnusedReference
from explorer.base.servers import ServerEntry
from explorer.base.token_ids import format_ids, parse_ids
from explorer.settings import Settings, load_request
from explorer.tui.screens.add_server import AddServer
from explorer.tui.screens.ask_line import AskLine
from explorer.tui.screens.dialog import Dialog
from explorer.tui.screens.help import HelpScreen, help_text
from explorer.tui.screens.log import LogScreen
from explorer.tui.screens.model_rows import size_text
from explorer.tui.screens.models import ModelChoice, ModelsScreen
from explorer.tui.screens.unused import UnusedChoice, UnusedScreen
from explorer.tui.shell.commands import COMMANDS
from explorer.tui.widgets.row_list import RowList
from tests.app_driver import settled

HOSTILE = "[/foo]\x1b]52;c;aGk=\x07\u202e"
UNANSWERED = "unanswered"


def info(name: str) -> ModelInfo:
    return ModelInfo(
        name=name,
        source=f"zoo:{name}",
        architecture="GPT2",
        dtype="float32",
        device="cpu",
        vocab_size=3072,
        tokenizer_size=3072,
        d_model=128,
        weights_digest="ab" * 16,
    )


def load(source: str, **how: Any) -> ModelChoice:
    return ModelChoice("load", request=LoadModel(source=source, **how))


ROSTER = Roster(
    models=(info("mynah"), info("lyrebird")),
    devices=(DeviceMemory(device="cpu", used=1, free=1, total=2),),
)
CATALOGUE = ModelCatalogue(
    entries=(
        CatalogueEntry(source=HOSTILE, origin="hub cache", description=HOSTILE),
        CatalogueEntry(source="zoo:mynah", origin="zoo", loaded=True),
        CatalogueEntry(source="zoo:starling", origin="zoo", size_bytes=3 << 20),
    )
)


class DialogueApp(App[None]):
    """Opens one dialogue and keeps what it was dismissed with. Its own `q` must not be reached from inside."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "quit"), ("m", "quit", "quit")]

    def __init__(self, dialogue: Dialog[Any]) -> None:
        super().__init__()
        self.dialogue = dialogue
        self.result: Any = UNANSWERED

    def on_mount(self) -> None:
        self.push_screen(self.dialogue, self.keep)

    def keep(self, result: Any) -> None:
        self.result = result

    def screen_text(self) -> str:
        strips = self.screen._compositor.render_strips()
        assert all(strip.cell_length == self.size.width for strip in strips)
        lines = [strip.text for strip in strips]
        assert all(line.isprintable() and "\u202e" not in line for line in lines)
        return "\n".join(lines)


def every_dialogue() -> list[Dialog[Any]]:
    return [
        HelpScreen(),
        LogScreen([HOSTILE]),
        AskLine(HOSTILE, initial="1"),
        ModelsScreen(ROSTER, CATALOGUE, selected="mynah"),
        UnusedScreen([UnusedReference(token_id=3, reason=HOSTILE)], 3072),
        AddServer(lambda entry: entry),
    ]


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_every_dialogue_is_safe_to_look_at_and_left_with_escape(index: int, size: tuple[int, int]) -> None:
    app = DialogueApp(every_dialogue()[index])
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "esc" in app.screen_text()
        await pilot.press("escape")
        assert app.result is None


# ── models ──


@pytest.mark.parametrize(
    ("keys", "choice"),
    [
        (["enter"], ModelChoice("select", source="zoo:mynah", model="mynah")),
        (["down", "enter"], ModelChoice("select", source="zoo:lyrebird", model="lyrebird")),
        (["a"], ModelChoice("add server")),
        (["down", "x"], ModelChoice("unload", source="zoo:lyrebird", model="lyrebird")),
        (["down", "down", "enter"], load("zoo:starling")),
        (["end", "enter"], load(HOSTILE)),
        (["tab", *"qxm", "enter"], load("qxm")),
        (["tab", *"gpt2", "tab", "right", *["tab"] * 4, "enter"], load("gpt2", dtype="float32")),
        (["tab", *"a", "tab", "tab", "right", "shift+tab", "shift+tab", "enter"], load("a", device="cpu")),
        (["tab", *"a", *["tab"] * 3, "right", "tab", "enter"], load("a", allow_pickle=True)),
        (["tab", *"a", *["tab"] * 4, *"./b", "enter"], load("a", tokenizer="./b")),
        (["tab", *"a", "tab", "enter", "down", "enter", "shift+tab", "enter"], load("a", dtype="float32")),
        (["tab", *"a", "tab", "space", "down", "space", "shift+tab", "enter"], load("a", dtype="float32")),
    ],
)
async def test_models_are_chosen_by_keyboard(keys: list[str], choice: ModelChoice) -> None:
    app = DialogueApp(ModelsScreen(ROSTER, CATALOGUE, selected="mynah"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert app.result == choice


async def test_what_the_settings_say_is_what_a_typed_model_is_loaded_with() -> None:
    settings = Settings(
        dtype="bfloat16", device="cuda:1", allow_pickle=True, tokenizer="./other", chat_day="2026-11-28"
    )
    app = DialogueApp(ModelsScreen(ROSTER, usual=load_request("", settings)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        shown = app.screen_text()
        assert all(said in shown for said in ("bfloat16", "cuda:1", "allowed", "./other"))
        await pilot.press("tab", *"gpt2", "enter")
    assert app.result == ModelChoice("load", request=load_request("gpt2", settings))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_columns_of_loaded_models_stay_under_their_headings(size: tuple[int, int]) -> None:
    long = msgspec.structs.replace(info("mynah"), architecture="LlamaForCausalLM", n_layers=2, memory_bytes=3 << 30)
    longer = msgspec.structs.replace(
        info("SmolLM2-135M-Instruct-of-someone"),
        architecture="Qwen3VLMoeForConditionalGeneration",
        vocab_size=1_262_144,
    )
    app = DialogueApp(ModelsScreen(Roster(models=(long, longer), devices=()), CATALOGUE, selected="mynah"))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        lines = app.screen_text().split("\n")
        header, first, second = (next(line for line in lines if said in line) for said in ("vocab×", "[mynah]", "Smol"))
        assert header.index("architecture") == first.index("LlamaForCausalLM") == second.index("Qwen3")
        end = header.index("layers") + len("layers")
        assert first[:end].endswith(" 3,072×128×2")
        assert second[:end].endswith(" 1,262,144×128")
        assert "Qwen3VLMoeForCo…" in second
        assert "3.00 GiB" in first


async def test_a_server_is_described_at_80x24_and_what_is_wrong_is_said() -> None:
    kept: list[ServerEntry] = []

    def keep(entry: ServerEntry) -> ServerEntry:
        if kept:
            raise ExplorerError(f"{HOSTILE} is taken", hint="Choose another name.")
        kept.append(entry)
        raise PermissionError(13, "Permission denied")

    app = DialogueApp(AddServer(keep))
    async with app.run_test(size=(80, 24)) as pilot:
        fields = ["lab", "", "http://h:8000", "http://h:8001, http://h:8002", "big", "./tok", "LAB_KEY", "0"]
        for typed in fields:
            await pilot.press(*(typed or ["right"]), "tab")
        await pilot.press("shift+tab", "enter")
        await settled(pilot)
        assert "at once: a whole number from 1 to 256" in app.screen_text()
        await pilot.press("backspace", "8", "enter")
        await settled(pilot)
        assert "the settings cannot be written: [Errno 13] Permission denied" in app.screen_text()
        assert kept == [ServerEntry(
            name="lab", url="http://h:8000", also=("http://h:8001", "http://h:8002"), kind="llama", model="big",
            tokenizer="./tok", key_env="LAB_KEY", at_once=8,
        )]  # fmt: skip
        await pilot.press("enter")
        await settled(pilot)
        assert "is taken (Choose another name.)" in app.screen_text() or "Choose another name." in app.screen_text()
        assert app.result == UNANSWERED


async def test_a_loaded_model_keeps_its_description() -> None:
    entry = CatalogueEntry(source="zoo:mynah", origin="zoo", description="knows every word", loaded=True)
    app = DialogueApp(ModelsScreen(ROSTER, ModelCatalogue(entries=(entry,)), selected="mynah"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "knows every word" in app.screen_text()
        assert "GPT2 in float32 on cpu" in app.screen_text()


async def test_only_a_loaded_model_can_be_unloaded() -> None:
    app = DialogueApp(ModelsScreen(ROSTER, CATALOGUE))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "x")
        await pilot.pause()
        assert app.result == UNANSWERED
        assert "Only a loaded model" in app.screen_text()


async def test_the_zoo_comes_before_the_cache_and_loaded_models_once() -> None:
    screen = ModelsScreen(ROSTER)
    app = DialogueApp(screen)
    async with app.run_test(size=(80, 24)) as pilot:
        screen.show_catalogue(CATALOGUE)
        await pilot.pause()
        rows = [row.plain for row in screen.query_one(RowList).rows]
        assert [row[:4] for row in rows] == ["● my", "● ly", "○ zo", "○ [/"]
        assert "ababab" in app.screen_text()


async def test_servers_of_the_settings_are_listed_and_one_that_is_loaded_says_what_it_tells() -> None:
    reach = Reach(kind="vllm", version="0.32.0", whole=False, targets="request", top=20, raw=True, same_in_batch=True,
                  same_vocabulary="sampled")  # fmt: skip
    info = ModelInfo(
        name="big", source="vllm:http://127.0.0.1:8000#big", architecture="unknown", dtype="unknown",
        weights_digest="f1" * 16, device="server:127.0.0.1:8000", vocab_size=50257, tokenizer_size=50257,
        d_model=0, reach=reach,
    )  # fmt: skip
    listed = tuple(
        CatalogueEntry(source=f"vllm:http://127.0.0.1:8000#{name}", origin="settings", description=f"server {name}")
        for name in ("big", "small")
    )
    app = DialogueApp(ModelsScreen(Roster(models=(info,), devices=()), CATALOGUE, servers=listed))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        shown = app.screen_text()
        assert "vllm 0.32.0 names its 20 likeliest tokens" in " ".join(shown.replace("│", " ").split())
        assert "fingerprint f1f1f1f1f1f1" in shown
        assert "50,257×0" not in shown
        assert shown.count("server small") == 1
        assert "server big" not in shown, "it is loaded"
        await pilot.press("down", "enter")
    assert app.result == load("vllm:http://127.0.0.1:8000#small")


async def test_with_nothing_to_load_it_says_what_to_type() -> None:
    app = DialogueApp(ModelsScreen(Roster(models=(), devices=()), ModelCatalogue(entries=())))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "type a source below" in app.screen_text()
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert app.result == UNANSWERED
        assert "Type a source" in app.screen_text()


def test_sizes() -> None:
    assert [size_text(size) for size in (0, 3 << 20, 3 << 30)] == ["", "<0.01 GiB", "3.00 GiB"]


# ── help ──


def test_the_help_has_every_command_with_its_key() -> None:
    said = help_text({"repeat": "R", "quit": "ctrl+q"}, 76).plain
    for command in COMMANDS:
        assert command.help.split()[0] in said
        assert command.group in said
    assert "R* " in said
    assert "ctrl+q* " in said
    assert "f2 or 2" in said
    assert "* changed in your settings" in said
    assert "changed" not in help_text({}, 76).plain


@pytest.mark.parametrize("width", [40, 67, 100])
def test_the_help_never_passes_its_width(width: int) -> None:
    assert max(line.cell_length for line in help_text({}, width).split("\n")) <= width


async def test_the_help_scrolls_to_its_end_at_80x24() -> None:
    app = DialogueApp(HelpScreen())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Tokens" in app.screen_text()
        await pilot.press("end")
        await pilot.pause()
        await pilot.wait_for_scheduled_animations()
        assert "the answers are the same" in app.screen_text().replace("\n", " ")


# ── one line ──


def only_digits(answer: str) -> str | None:
    return None if answer.isdigit() else f"{answer!r} is no id"


async def test_a_wrong_answer_is_said_in_place_and_a_right_one_returned() -> None:
    app = DialogueApp(AskLine("Which id?", validate=only_digits))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "q", "enter")
        await pilot.pause()
        assert app.result == UNANSWERED
        assert "✗ '1q' is no id" in app.screen_text()
        await pilot.press("backspace", "2", "enter")
        assert app.result == "12"


# ── the log ──


async def test_the_log_opens_at_its_newest_line() -> None:
    screen = LogScreen([*(f"line {index}" for index in range(100)), HOSTILE + "\n"])
    app = DialogueApp(screen)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "▸ [/foo]\\u{1b}]52" in app.screen_text()
        await pilot.press("home")
        await pilot.pause()
        assert "▸ line 0" in app.screen_text()


# ── unused ids ──


async def test_ids_are_edited_and_an_empty_line_means_automatic() -> None:
    references = [UnusedReference(token_id=token_id, reason="name") for token_id in (5, 6, 7, 20)]
    app = DialogueApp(UnusedScreen(references, 100, text_of=lambda token_id: f"<unused{token_id}>"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.screen.query_one(Input).value == "5-7, 20"
        assert "<unused6>" in app.screen_text()
        await pilot.press("end", *", 100", "enter")
        await pilot.pause()
        assert "id 100 is out of range" in app.screen_text()
        assert app.result == UNANSWERED
        await pilot.press("backspace", "enter")
    assert app.result == UnusedChoice((5, 6, 7, 10, 20))


async def test_an_empty_line_is_automatic() -> None:
    app = DialogueApp(UnusedScreen([UnusedReference(token_id=5, reason="name")], 100))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "backspace", "enter")
        assert app.result == UnusedChoice(None)


@pytest.mark.parametrize("ids", [(), (0,), (0, 1, 2), (3, 5, 6, 9), (7, 98, 99)])
def test_formatted_ids_read_back_the_same(ids: tuple[int, ...]) -> None:
    assert parse_ids(format_ids(ids), 100) == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "'x' is neither"),
        ("3-", "'3-' is neither"),
        ("-3", "'-3' is neither"),
        ("9-3", "write 3-9"),
        ("100", "go from 0 to 99"),
        ("0-99999999999", "out of range"),
        ("²", "'²' is neither"),
        ("\x1b", r"'\u{1b}' is neither"),
    ],
)
def test_wrong_ids_are_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_ids(text, 100)


async def test_a_box_that_has_gone_closes_no_other() -> None:
    """`enter` twice in a row: the second one is handled when the box has given way to the next."""
    first, second = ModelsScreen(ROSTER, CATALOGUE), HelpScreen({}, COMMANDS, ())
    app = DialogueApp(first)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        first.dismiss(None)
        await app.push_screen(second)
        first.dismiss(ModelChoice("select"))
        await pilot.pause()
        assert app.screen is second
        assert app.result is None
