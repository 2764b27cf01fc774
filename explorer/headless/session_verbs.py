"""The verbs about sessions: `session schema|report|diff|recent` and `replay FILE --check`, `replay --list`."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from explorer.base.errors import ExplorerError
from explorer.headless.run import INTERRUPTED, ended_like_interrupted, say_error
from explorer.headless.session_check import check_session
from explorer.headless.session_diff import print_diff
from explorer.headless.session_output import make_console, make_table
from explorer.headless.word_parser import WordParser, examples_text
from explorer.pipe.client import EngineClient
from explorer.sessions.checking.naming import parse_model_map
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import Listed, find_session, sample_sessions, sessions_in
from explorer.sessions.file.schema import session_schema
from explorer.sessions.report.page import write_report
from explorer.settings import Settings, read_settings, state_folder
from explorer.specs.blocks import prose

RECENT = 20
_EXAMPLES = {
    "replay": (
        ("base-and-instruct", "a sample session, without a model"),
        ("notes.jsonl --check", "ask the session's requests again, and compare"),
        ("--list", "the sample sessions"),
    ),
    "session": (("recent", "the sessions of this machine"), ("report notes.jsonl -o notes.html", "one as a page")),
    "session schema": (("> schema.json", "for programs that read session files"),),
    "session report": (("notes.jsonl -o notes.html", "a page with every table and plot"),),
    "session diff": (("before.jsonl after.jsonl", "what came back differently"),),
    "session recent": (("--top 5 --json", "the five latest, an object a line"),),
}

MakeClient = Callable[[Settings], EngineClient]
OpenReplay = Callable[[Path, Settings], int]


def session_parser() -> ArgumentParser:
    """Arguments of `session` and `replay`."""
    parser = WordParser(prog="glitch-explore")
    add_session_verbs(parser.add_subparsers(dest="verb", required=True))
    return parser


def add_session_verbs(verbs: Any) -> None:
    """Add them to a parser's sub-commands."""
    replay = _add(verbs, "replay", "replay a session without a model, or check it against live models")
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
    replay.add_argument("--theme", metavar="NAME", help="a theme of the explorer (key t shows them)")
    _output(replay)
    session = _add(verbs, "session", "report, compare and list session files")
    acts = session.add_subparsers(dest="act", required=True)
    schema = _add(acts, "session schema", "print the JSON Schema of a session file's lines")
    schema.add_argument("--settings", help="not used here; every verb takes it")
    report = _add(acts, "session report", "write one page to read: .html or .md")
    report.add_argument("file", metavar="FILE", help="a session file")
    report.add_argument("-o", "--output", metavar="OUT", required=True, help="the page to write, .html or .md")
    report.add_argument("--settings", help="not used here; every verb takes it")
    diff = _add(acts, "session diff", "compare the outcomes of the same requests in two sessions")
    diff.add_argument("file", metavar="A", help="a session file")
    diff.add_argument("other", metavar="B", help="another one")
    _model_map(diff)
    _output(diff)
    recent = _add(acts, "session recent", "list the sessions recorded here, the latest first")
    recent.add_argument("--top", type=int, default=RECENT, metavar="N", help=f"how many (default {RECENT})")
    _output(recent)


def _add(verbs: Any, name: str, said: str) -> ArgumentParser:
    """Add the parser of a verb: `said` is its help, with examples at the end."""
    examples = [(f"{name} {words}", what) for words, what in _EXAMPLES[name]]
    parser: ArgumentParser = verbs.add_parser(
        name.split()[-1], help=said, description=f"{said[0].upper()}{said[1:]}.",
        epilog=examples_text(examples), formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    return parser


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
        with ended_like_interrupted() as received:
            status = _run(given, make_client, open_replay)
        sys.stdout.flush()
    except ExplorerError as error:
        return say_error(error)
    except KeyboardInterrupt:
        print("glitch-explore: stopped", file=sys.stderr)
        return 128 + received[0] if received else INTERRUPTED
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
            return print_diff(given)
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
    table = make_table("session", "title", "started", "steps", right=("steps",))
    for entry in listed:
        said = Text(prose(entry.problem), "red") if entry.problem else Text(prose(entry.title))
        steps = "–" if entry.steps is None else f"{entry.steps:,}"
        table.add_row(Text(prose(str(_name(entry.path, given)))), said, prose(entry.started)[:19], steps)
    make_console().print(table)
    return 0


def _name(path: Path, given: Namespace) -> str:
    """What to type after `replay`: a sample's name, or the path of the file."""
    return path.stem if given.verb == "replay" else str(path)
