"""The verbs about sessions: `session schema|report|diff|recent` and `replay FILE --check`, `replay --list`."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from explorer.base.errors import ExplorerError
from explorer.base.records.unions import Step
from explorer.base.text import visible
from explorer.headless.render import UNCUT
from explorer.headless.run import FAILED, INTERRUPTED, say_error, say_last_words
from explorer.pipe.client import EngineClient
from explorer.sessions.checking.check import CheckedStep, SessionChecker, same_libraries, tally
from explorer.sessions.checking.diff import Difference, diff_sessions
from explorer.sessions.checking.naming import parse_model_map
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import Listed, find_session, sample_sessions, sessions_in
from explorer.sessions.file.schema import session_schema
from explorer.sessions.report.page import write_report
from explorer.settings import Settings, read_settings, state_folder
from explorer.specs.registry import describe, summarise

VERB_NAMES = ("session", "replay")
RECENT = 20

MakeClient = Callable[[Settings], EngineClient]
OpenReplay = Callable[[Path, Settings], int]


def session_parser() -> ArgumentParser:
    """Arguments of `session` and `replay`."""
    parser = ArgumentParser(prog="glitch-explore")
    add_session_verbs(parser.add_subparsers(dest="verb", required=True))
    return parser


def add_session_verbs(verbs: Any) -> None:
    """Add them to a parser's sub-commands."""
    replay = verbs.add_parser("replay", help="replay a session without a model, or check it against live models")
    replay.add_argument("file", nargs="?", metavar="FILE", help="a session file, or the name of a sample")
    replay.add_argument("--list", action="store_true", help="the sample sessions that come with the program")
    replay.add_argument("--check", action="store_true", help="ask every request again and compare the outcomes")
    replay.add_argument("--verify", dest="check", action="store_true", help=SUPPRESS)  # its earlier name
    _model_map(replay)
    replay.add_argument("--allow-pickle", action="store_true", default=None, help="read .bin checkpoints, weights only")
    replay.add_argument(
        "--engine",
        metavar="COMMAND",
        help="the command that starts the engine, such as 'ssh BOX glitch-explore engine'",
    )
    replay.add_argument("--theme", metavar="NAME")
    _output(replay)
    said = "report, compare and list session files"
    acts = verbs.add_parser("session", help=said, description=f"{said.capitalize()}.").add_subparsers(
        dest="act", required=True
    )
    schema = acts.add_parser("schema", help="the JSON Schema of a session file's lines")
    schema.add_argument("--settings", help="not used here; every verb takes it")
    report = acts.add_parser("report", help="one page to read: .html or .md")
    report.add_argument("file", metavar="FILE")
    report.add_argument("-o", "--output", metavar="OUT", required=True, help="the page to write, .html or .md")
    report.add_argument("--settings", help="not used here; every verb takes it")
    diff = acts.add_parser("diff", help="compare the outcomes of the same requests in two sessions")
    diff.add_argument("file", metavar="A")
    diff.add_argument("other", metavar="B")
    _model_map(diff)
    _output(diff)
    recent = acts.add_parser("recent", help="the sessions recorded here, the latest first")
    recent.add_argument("--top", type=int, default=RECENT, metavar="N", help=f"how many (default {RECENT})")
    _output(recent)


def _model_map(parser: ArgumentParser) -> None:
    parser.add_argument("--model-map", action="append", default=[], metavar="OLD=NEW", help="load NEW in place of OLD")


def _output(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object per line, and nothing else, on stdout")
    parser.add_argument("--settings", metavar="FILE", help="a settings file instead of the usual one")


def run_session_verb(words: Sequence[str], make_client: MakeClient, open_replay: OpenReplay) -> int:
    """Run one of these verbs; the exit status: 0, 1 for a failure or for what does not agree, 2 for wrong usage.

    `make_client` starts nothing; it is called where live models are needed. `open_replay` shows a session on
    the screen and returns the exit status.
    """
    parser = session_parser()
    given = parser.parse_args(words)
    if given.verb == "replay" and bool(given.file) == given.list:
        parser.error("replay needs FILE, or --list")
    try:
        status = _run(given, make_client, open_replay)
        sys.stdout.flush()
    except ExplorerError as error:
        return say_error(error)
    except KeyboardInterrupt:
        print("glitch-explore: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `glitch-explore session schema | head`
        sys.stderr.close()
        return 0
    return status


def _run(given: Namespace, make_client: MakeClient, open_replay: OpenReplay) -> int:
    if given.verb == "replay":
        if given.list:
            return _show_list(sample_sessions(), given)
        settings = _settings(given)
        path = find_session(given.file)
        if not given.check:
            return open_replay(path, settings)
        return asyncio.run(
            check_session(path, parse_model_map(given.model_map), settings, make_client(settings), given)
        )
    match given.act:
        case "schema":
            print(json.dumps(session_schema(), indent=2))
        case "report":
            write_report(SessionFile(find_session(given.file)), Path(given.output))
        case "diff":
            return _diff(given)
        case "recent":
            return _show_list(sessions_in(state_folder(_settings(given)) / "sessions", given.top), given)
    return 0


def _settings(given: Namespace) -> Settings:
    flags = {name: getattr(given, name, None) for name in ("engine", "allow_pickle", "theme")}
    return read_settings(Path(given.settings) if given.settings else None, flags=flags)


# ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────


def _show_list(listed: Iterable[Listed], given: Namespace) -> int:
    if given.json:
        for entry in listed:
            plain = {"path": str(entry.path), "title": entry.title, "started": entry.started, "bytes": entry.size}
            print(json.dumps({**plain, "steps": entry.steps, "problem": entry.problem}))
        return 0
    table = _table("session", "title", "started", "steps", right=("steps",))
    for entry in listed:
        said = Text(_prose(entry.problem), "red") if entry.problem else Text(_prose(entry.title))
        steps = "–" if entry.steps is None else f"{entry.steps:,}"
        table.add_row(Text(_prose(str(_name(entry.path, given)))), said, _prose(entry.started)[:19], steps)
    _console().print(table)
    return 0


def _name(path: Path, given: Namespace) -> str:
    """What to type after `replay`: a sample's name, or the path of the file."""
    return path.stem if given.verb == "replay" else str(path)


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(name), justify="right" if name in right else "left", overflow="fold")
    return table


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else UNCUT)


def _prose(text: str) -> str:
    return visible(text, spaces=False)


# ── check ─────────────────────────────────────────────────────────────────────────────────────────────────

_COLOURS = {"agree": "green", "differ": "red", "cannot run": "yellow", "nothing to run": "dim"}


async def check_session(
    path: Path, names: Mapping[str, str], settings: Settings, client: EngineClient, given: Namespace
) -> int:
    """Ask every question of the session at `path` again and print what agrees.

    The exit status is 0 only where all does, and the file is whole and holds steps.
    """
    session = SessionFile(path).index_all()
    damage = _say_damage(session, "", given)
    try:
        await client.start()
    except OSError as error:
        raise ExplorerError(f"the engine cannot be started: {error}", hint="Check --engine.") from error
    checks: list[CheckedStep] = []
    try:

        def same() -> bool:
            return client.hello is not None and same_libraries(session.header.versions, client.hello.versions)

        checker = SessionChecker(client, names, allow_pickle=settings.allow_pickle, same_libraries=same)
        async for check in checker.run(session):
            checks.append(check)
            if sys.stderr.isatty():
                print(f"\rstep {len(checks)}/{len(session)}\x1b[K", end="", file=sys.stderr, flush=True)
        has_stopped = client.state == "stopped"
    finally:
        await client.stop()
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if has_stopped:
        say_last_words(client)
    _print_checks(checks, as_json=given.json)
    is_fine = bool(checks) and all(check.result in ("agree", "nothing to run") for check in checks)
    return 0 if is_fine and not damage else FAILED


def _say_damage(session: SessionFile, name: str, given: Namespace) -> bool:
    """Print, before anything else, what of the file cannot be read; whether there is anything. `name`: of two."""
    found = False
    console = _console()
    for said in session.damage():
        found = True
        if given.json:
            print(json.dumps({**({"session": name} if name else {}), "damage": said}))
        else:
            console.print(Text(_prose(f"{name}: {said}" if name else said), "red"))
    return found


def _print_checks(checks: Sequence[CheckedStep], *, as_json: bool) -> None:
    if as_json:
        for check in checks:
            print(json.dumps(_check_row(check), allow_nan=False))
        return
    console = _console()
    for check in checks:
        if check.digests:
            console.print(Text(f"{describe(check.step.request)}: another model. {_prose(check.digests)}", "red"))
    table = _table("step", "request", "result", "", right=("step",))
    for check in checks:
        if check.result != "nothing to run":
            result = Text(check.result, _COLOURS[check.result])
            table.add_row(str(check.step.number), Text(describe(check.step.request)), result, Text(_prose(check.said)))
    console.print(table)
    console.print(Text(tally(checks)))


def _check_row(check: CheckedStep) -> dict[str, Any]:
    question = describe(check.step.request)
    return {"step": check.step.number, "question": question, "verdict": check.result, "said": check.said}


# ── diff ──────────────────────────────────────────────────────────────────────────────────────────────────


def _diff(given: Namespace) -> int:
    first, second = (SessionFile(find_session(name)).index_all() for name in (given.file, given.other))
    names = parse_model_map(given.model_map)
    damaged = [_say_damage(session, name, given) for session, name in ((first, "A"), (second, "B"))]
    difference = diff_sessions(first, second, names)
    if given.json:
        for row in _diff_rows(difference):
            print(json.dumps(row, allow_nan=False))
    else:
        _print_difference(difference)
    return 0 if difference.is_none and not any(damaged) else FAILED


def _diff_rows(difference: Difference) -> Iterable[dict[str, Any]]:
    for model in difference.models:
        yield {"models": [model.first.name, model.second.name], "difference": model.difference}
    for pair in difference.pairs:
        steps, found = [pair.first.number, pair.second.number], pair.found
        question = describe(pair.first.request)
        yield {"steps": steps, "question": question, "difference": found.difference, "how": found.how}
    alone: list[tuple[Step, tuple[int | None, int | None]]]
    alone = [(step, (step.number, None)) for step in difference.only_first]
    alone += [(step, (None, step.number)) for step in difference.only_second]
    for step, numbers in alone:
        yield {"steps": numbers, "question": describe(step.request), "difference": "in one session only"}


def _print_difference(difference: Difference) -> None:
    console = _console()
    for model in difference.models:
        names = " and ".join(dict.fromkeys((model.first.name, model.second.name)))
        said = model.difference or "the same model"
        console.print(Text(_prose(f"{names}: {said}"), "yellow" if model.difference else ""))
    table = _table("A", "B", "question", "", right=("A", "B"))
    for pair in difference.pairs:
        verdict = Text("differ", "red") if pair.found.difference else Text("agree", "green")
        table.add_row(str(pair.first.number), str(pair.second.number), Text(describe(pair.first.request)), verdict)
        if pair.found.difference:
            for mark, step in (("A", pair.first), ("B", pair.second)):
                table.add_row("", "", Text(f"  {mark}  {summarise(step.outcome)}", "dim"), "")
            table.add_row("", "", Text(f"  {_prose(pair.found.difference)} {pair.found.how}".rstrip()), "")
    for step in difference.only_first:
        table.add_row(str(step.number), "–", Text(describe(step.request)), Text("only in A", "yellow"))
    for step in difference.only_second:
        table.add_row("–", str(step.number), Text(describe(step.request)), Text("only in B", "yellow"))
    console.print(table)
    console.print(Text(_counts(difference)))


def _counts(difference: Difference) -> str:
    differing = sum(bool(pair.found.difference) for pair in difference.pairs)
    alone: tuple[Step, ...] = (*difference.only_first, *difference.only_second)
    return f"{len(difference.pairs) - differing} agree, {differing} differ, {len(alone)} in one session only"
