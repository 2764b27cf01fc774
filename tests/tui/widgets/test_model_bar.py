"""The model bar as a pure function of its state, and the widget that keeps the state."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from explorer.base.records.models import DeviceMemory, ModelInfo, Roster
from explorer.base.records.record import Progress
from explorer.tui.widgets.model_bar import BarState, ModelBar, ModelState, Work, bar, memory_text, short_name, work_text

GIB = 2**30
CPU = DeviceMemory(device="cpu", used=4 * GIB // 10, free=20 * GIB, total=23 * GIB)
BUSY = BarState(
    models=(("mynah", "loaded"), ("mynah-instruct", "loaded"), ("starling", "loading")),
    selected="mynah",
    memory=(CPU,),
    engine="ready",
    work=Work("verify", 410, 1000, 315.0, 1.9),
)


def models_of(shown: ModelBar) -> tuple[tuple[str, ModelState], ...]:
    """Asked anew at every call, which an attribute is not for the type checker."""
    return shown.state.models


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 220),
    st.lists(st.sampled_from(["mynah", "mynah-instruct", "[/foo]\x1b", "龍龍龍龍", "x" * 90]), max_size=6),
    st.sampled_from(["starting", "ready", "stopped"]),
    st.booleans(),
)
def test_the_bar_is_always_exactly_as_wide_as_the_screen(width: int, names: list[str], engine: str, busy: bool) -> None:
    states: list[ModelState] = ["loaded", "loading", "failed"]
    state = BarState(
        models=tuple((name, states[index % 3]) for index, name in enumerate(names)),
        selected="mynah",
        memory=(CPU,),
        engine=engine,  # type: ignore[arg-type]
        reason="killed by signal 9 \x1b[31m",
        work=Work("repeat [/b]", 3, 10, 3.0, 2.3) if busy else None,
        waiting=2,
    )
    drawn = bar(state, width)
    assert drawn.cell_length == width
    assert drawn.plain.isprintable()


def test_the_memory_of_each_gpu_is_shown() -> None:
    gpus = tuple(
        DeviceMemory(device=f"cuda:{n}", used=n * 10 * GIB, free=(80 - n * 10) * GIB, total=80 * GIB) for n in range(4)
    )
    said = bar(BarState(models=(("big", "loaded"),), selected="big", memory=(CPU, *gpus), engine="ready"), 160).plain
    for part in ("cpu 0.4/23 GiB", *(f"cuda:{n} {n * 10:.1f}/80 GiB" for n in range(4))):
        assert part in said


def test_a_wide_bar_says_everything() -> None:
    said = bar(BUSY, 140).plain
    for part in ("glitch-explore", "[mynah]", "● mynah-instruct", "◐ starling", "cpu 0.4/23 GiB"):
        assert part in said
    assert "▮▮▯▯▯ verify  41% 315/s ETA 2 s" in said


def test_a_narrow_bar_keeps_the_selected_model_and_what_runs() -> None:
    said = bar(BUSY, 60).plain
    assert "[mynah]" in said
    assert "verify" in said
    assert "41%" in said


def test_the_quantisation_of_the_selected_model_is_told_where_there_is_room() -> None:
    state = BarState(
        models=(("smol", "loaded"), ("gemma", "loaded")),
        selected="smol",
        quantised=(("smol", "embeddings Q8_0, blocks Q4_1"), ("gemma", "embeddings F16, blocks Q5_0")),
        memory=(CPU,),
        engine="ready",
    )
    assert "●[smol] Q8_0, Q4_1 ● gemma" in bar(state, 120).plain
    assert "Q8_0" in bar(state, 60).plain
    assert "Q8_0" not in bar(state, 40).plain
    assert "Q5_0" not in bar(state, 120).plain


def test_states_differ_without_colour() -> None:
    models: tuple[tuple[str, ModelState], ...] = (
        ("ant", "loaded"),
        ("cat", "loading"),
        ("dog", "failed"),
    )
    said = bar(BarState(models=models, engine="ready"), 120).plain
    assert "● ant ◐ cat ✗ dog" in said


def test_the_engines_state_is_said() -> None:
    assert "engine starting…" in bar(BarState(), 80).plain
    stopped = bar(BarState(engine="stopped", reason="killed"), 80).plain
    assert "engine stopped (killed): press ctrl+r" in stopped
    assert "no models: press m" in bar(BarState(engine="ready"), 80).plain


def test_progress_in_words() -> None:
    assert work_text(Work("load zoo:mynah", 0, 0)) == "◐ load zoo:mynah"
    assert work_text(Work("read", 500, 1000, 50.0, 10.0)) == "▮▮▯▯▯ read  50% 50/s ETA 10 s"
    assert work_text(Work("read", 1000, 1000, 100.0), rate=False) == "▮▮▮▮▮ read 100%"
    assert memory_text(CPU) == "cpu 0.4/23 GiB"


@pytest.mark.parametrize(
    ("source", "name"), [("zoo:mynah", "mynah"), ("./a/b/", "b"), ("weights:/m/llama", "llama"), ("gpt2", "gpt2")]
)
def test_short_names(source: str, name: str) -> None:
    assert short_name(source) == name


def info(name: str, source: str) -> ModelInfo:
    return ModelInfo(
        name=name,
        source=source,
        architecture="GPT2",
        dtype="float32",
        device="cpu",
        vocab_size=10,
        tokenizer_size=10,
        d_model=4,
    )


class BarApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.bar = ModelBar()

    def compose(self) -> ComposeResult:
        yield self.bar


async def test_a_model_goes_from_loading_to_loaded_or_failed() -> None:
    app = BarApp()
    async with app.run_test(size=(120, 3)):
        model_bar = app.bar
        model_bar.set_engine("ready")
        model_bar.set_model_loading("zoo:mynah")
        assert models_of(model_bar) == (("mynah", "loading"),)
        model_bar.set_roster(Roster(models=(info("mynah", "zoo:mynah"),), devices=(CPU,)))
        assert models_of(model_bar) == (("mynah", "loaded"),)
        model_bar.set_model_loading("zoo:wren")
        model_bar.set_model_failed("zoo:wren")
        assert models_of(model_bar) == (("mynah", "loaded"), ("wren", "failed"))
        model_bar.set_model_loading("./elsewhere")
        assert models_of(model_bar) == (("mynah", "loaded"), ("elsewhere", "loading"))
        model_bar.set_model_failed("./elsewhere")
        model_bar.set_model_loading("zoo:wren")
        assert models_of(model_bar) == (("mynah", "loaded"), ("wren", "loading"))
        model_bar.set_model_failed("zoo:wren")
        model_bar.set_model_idle("zoo:wren")
        assert models_of(model_bar) == (("mynah", "loaded"),)


async def test_a_stopped_engine_runs_and_loads_nothing() -> None:
    app = BarApp()
    async with app.run_test(size=(120, 3)):
        model_bar = app.bar
        model_bar.set_engine("ready")
        model_bar.set_model_loading("zoo:mynah")
        model_bar.set_running("load zoo:mynah", Progress(done=1, total=4, what="shards"), time.monotonic())
        model_bar.set_waiting(2)
        model_bar.set_engine("stopped", "killed")
        assert model_bar.state.work is None
        assert model_bar.state.waiting == 0
        assert models_of(model_bar) == ()


async def test_an_idle_bar_keeps_no_timer_and_same_news_draws_nothing() -> None:
    app = BarApp()
    async with app.run_test(size=(120, 3)) as pilot:
        app.bar.set_engine("ready")
        await pilot.pause()
        before = app.bar.state
        app.bar.set_engine("ready")
        app.bar.set_waiting(0)
        assert app.bar.state == before
        assert len(app.bar._timers) == 0
