"""What the panes show goes into files, in the order shown."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.speakability import ProveSpeakability, SpeakabilityResult
from explorer.engine.handlers import Engine
from explorer.sessions.file.recent import sample_sessions
from explorer.specs.neighbours import plot
from explorer.specs.plot_svg import plot_picture
from explorer.tables.row_exports import as_tsv, flatten, write_rows
from explorer.tui.panes.clips import first_clip
from explorer.tui.panes.takeaway import takeaway_of
from explorer.tui.shell.stage import Stage
from tests.app_driver import asked, running, settled, steps, until
from tests.replay_driver import at, replaying
from tests.tui.snapshot_samples import SAMPLES as PANES
from tests.tui.snapshot_samples import show_sample
from tests.tui.test_pane_snapshots import ThemedHarness, pane_of

SAMPLES = {listed.path.stem: listed.path for listed in sample_sessions()}
ROWS = [
    {"token_id": 7, "text": "=1+1", "indicators": {"norm": 0.5}, "ids": [1, 2], "said": None},
    {"token_id": 9, "text": "a\tb|`", "indicators": {"norm": "inf"}, "is_new": True},
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


async def export(app: Stage, pilot: Pilot[None], path: Path, told: str = "") -> None:
    """Press `e`, name the file, and wait for the message with its full path, or for what is `told` in its place."""
    await pilot.press("e")
    await until(pilot, lambda: len(app.screen_stack) == 2)
    app.screen.query_one(Input).value = str(path)
    await pilot.press("enter")
    words = told or f"written to {path}"
    await until(pilot, lambda: any(words in note.message for note in app._notifications))


def test_rows_without_nesting_in_every_form(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    assert write_rows(iter(ROWS), table) == 2
    with table.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "token_id": "7", "text": "'=1+1", "indicators.norm": "0.5", "ids": "[1, 2]", "said": "", "is_new": ""
    }  # fmt: skip
    assert (second["text"], second["indicators.norm"], second["is_new"]) == ("a\tb|`", "inf", "True")
    write_rows(ROWS, tmp_path / "rows.jsonl")
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == ROWS
    write_rows(ROWS, tmp_path / "rows.md")
    assert "`` a\\tb\\|` ``" in (tmp_path / "rows.md").read_text()
    write_rows(ROWS, tmp_path / "rows.ban.json")
    assert json.loads((tmp_path / "rows.ban.json").read_text()) == [7, 9]
    assert as_tsv(ROWS).splitlines()[2] == "9\ta\\tb|`\tinf\t\t\tTrue"


def test_parquet_has_typed_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    write_rows(ROWS, tmp_path / "rows.parquet")
    table = parquet.read_table(tmp_path / "rows.parquet")
    assert table.column("token_id").to_pylist() == [7, 9]
    assert table.column("indicators.norm").to_pylist() == ["0.5", "inf"]
    assert table.column("is_new").to_pylist() == [None, True]


def test_parquet_without_pyarrow_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ExplorerError, match="pyarrow, which is not installed"):
        write_rows(ROWS, tmp_path / "rows.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", PANES)
async def test_what_each_pane_shows_is_written_in_every_form_and_copied(name: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    sample, pane = PANES[name]["full"], pane_of(name)
    app = ThemedHarness(pane, "nightjar", sample)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        show_sample(pane, sample, "full")
        await settled(pilot)
        pane.focus_content()
        found = takeaway_of(pane)
        assert found is not None
        write = found.write or (lambda path: write_rows(found.rows(None), path))
        for suffix in (".csv", ".jsonl", ".md", ".parquet"):
            write(tmp_path / f"shown{suffix}")
        copied = first_clip(found, app.focused)
    rows = [json.loads(line) for line in (tmp_path / "shown.jsonl").read_text().splitlines()]
    with (tmp_path / "shown.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert 0 < len(rows) == len(table) == parquet.read_table(tmp_path / "shown.parquet").num_rows
    assert (tmp_path / "shown.md").read_text().count("\n|") >= len(rows)
    if found.write is None:  # else they are magikarp's names
        assert set(flatten(rows)[0]) == set(table[0])
    assert copied is not None
    assert copied.make().strip()


def test_rows_that_are_no_tokens_make_no_ban_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not tokens"):
        write_rows([{"model": "mynah"}], tmp_path / "rows.ban.json")


async def test_the_filtered_table_and_the_neighbours_are_exported_as_shown(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        await pilot.press("slash", *"an", "enter")
        await settled(pilot)
        view = app.workspace.token_pane.views.view
        assert view is not None
        assert 1 < len(view.rows) < view.total
        await export(app, pilot, tmp_path / "table.csv")
        with (tmp_path / "table.csv").open(newline="") as file:
            written = list(csv.DictReader(file))
        assert [int(row["token_id"]) for row in written] == [view.rows.token_at(at) for at in range(len(view.rows))]
        assert all("an" in row["text"].lower() for row in written)
        assert {"token_bytes", "category", *view.rows.indicators} <= set(written[0])
        await pilot.press("n")
        await until(pilot, lambda: len(asked(app, FindNeighbours)) == 1)
        await export(app, pilot, tmp_path / "near.jsonl")
        found = asked(app, FindNeighbours)[0].outcome
        assert isinstance(found, Neighbourhood)
        lines = [json.loads(line) for line in (tmp_path / "near.jsonl").read_text().splitlines()]
        assert [line["token_id"] for line in lines] == [each.token.token_id for each in found.neighbours]
        await export(app, pilot, tmp_path / "near.svg")
        picture = (tmp_path / "near.svg").read_text()
        assert picture == plot_picture(
            plot(FindNeighbours(model="mynah", token_id=found.subject.token.token_id), found)
        )
        root = ElementTree.fromstring(picture)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(root.findall("{*}circle")) == 1 + len(found.neighbours)
        await pilot.press("5")
        await export(app, pilot, tmp_path / "none.svg", "shows no plot")
        assert not (tmp_path / "none.svg").exists()
        await export(app, pilot, tmp_path / "steps.csv")
        with (tmp_path / "steps.csv").open(newline="") as file:
            written = list(csv.DictReader(file))
        assert [int(row["step"]) for row in written] == [step.number for step in steps(app)]
        assert {"RankTokens", "FindNeighbours"} <= {row["kind"] for row in written}


async def test_the_plot_is_saved_from_the_palette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with replaying(SAMPLES["neighbourhood-walk"]) as (app, pilot):
        found = [place for place, step in enumerate(app.session) if isinstance(step.request, FindNeighbours)]
        await at(app, pilot, found[-1])
        await pilot.press("1")
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Save the plot" not in titles
        await pilot.press("4")
        save = next(each for each in app.get_system_commands(app.screen) if each.title == "Save the plot")
        save.callback()
        await until(pilot, lambda: (tmp_path / "neighbours.svg").exists())
        assert "<circle" in (tmp_path / "neighbours.svg").read_text()


async def test_a_replay_gives_away_what_it_shows(tmp_path: Path) -> None:
    async with replaying(SAMPLES["cannot-be-said"]) as (app, pilot):
        shown = list(app.session)
        await at(app, pilot, next(at for at, step in enumerate(shown) if isinstance(step.request, RepeatBack)))
        await pilot.press("2")
        await export(app, pilot, tmp_path / "replies.jsonl")
        result = shown[app.current.position].outcome
        assert isinstance(result, RepeatBackResult)
        lines = [json.loads(line) for line in (tmp_path / "replies.jsonl").read_text().splitlines()]
        assert {line["model"] for line in lines} == {result.model}
        await pilot.press("Y")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("4")
        await until(pilot, lambda: app.clipboard == result.probe.prompt)
        await pilot.press("5", "y")
        await until(pilot, lambda: app.clipboard.startswith(f"{shown[app.current.position].number}\t"))
        await export(app, pilot, tmp_path / "steps.jsonl")
        assert len((tmp_path / "steps.jsonl").read_text().splitlines()) == len(shown)


async def test_a_replay_says_what_its_file_does_not_hold(tmp_path: Path) -> None:
    async with replaying(SAMPLES["a-real-model"]) as (app, pilot):
        shown = list(app.session)
        proved = next(step for step in shown if isinstance(step.request, ProveSpeakability))
        sweep = msgspec.structs.replace(proved.request, token_ids=None)
        app.workspace.show_tab("speakability")
        app.workspace.pane("speakability").show(msgspec.structs.replace(proved, request=sweep))
        await export(app, pilot, tmp_path / "hard.csv", "not in the session's file")


async def test_all_that_is_hard_to_speak_is_exported(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        pane = app.workspace.pane("speakability")
        app.workspace.show_tab("speakability")
        pane.ask(ProveSpeakability(model="mynah", mode="own_direction", rows=5))
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 1 and not app.runs.running)
        result = asked(app, ProveSpeakability)[0].outcome
        assert isinstance(result, SpeakabilityResult)
        assert len(result.rows) == 5 < result.hard
        await export(app, pilot, tmp_path / "hard.csv")
    with (tmp_path / "hard.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == result.hard
    assert all(row["own_direction_winner"] != row["token_id"] for row in written)
