"""`replay FILE --check`: ask every request of a session again, and print what agrees."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text

from explorer.base.errors import ExplorerError
from explorer.headless.run import FAILED, say_last_words
from explorer.headless.session_output import make_console, make_table, say_damage
from explorer.pipe.client import EngineClient
from explorer.sessions.checking.check import CheckedStep, SessionChecker, same_libraries, tally
from explorer.sessions.file.known_places import KnownPlaces
from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings, known_server, state_folder
from explorer.specs.blocks import prose
from explorer.specs.registry import describe

_COLOURS = {"agree": "green", "differ": "red", "cannot run": "yellow", "nothing to run": "dim"}


async def check_session(
    path: Path, names: Mapping[str, str], settings: Settings, client: EngineClient, given: Namespace
) -> int:
    """Ask every question of the session at `path` again and print what agrees.

    The exit status is 0 only where all does, and the file is whole and holds steps.
    """
    session = SessionFile(path).index_all()
    damage = say_damage(session, "", as_json=given.json)
    try:
        await client.start()
    except OSError as error:
        raise ExplorerError(f"the engine cannot be started: {error}", hint="Check --engine.") from error
    checker = _checker_of(session, names, settings, client)
    checks: list[CheckedStep] = []
    try:
        async for check in checker.run(session):
            checks.append(check)
            _show_progress(f"step {len(checks)}/{len(session)}")
        has_stopped = client.state == "stopped"
    finally:
        await client.stop()
        _show_progress("")
    if has_stopped:
        say_last_words(client)
    _print_checks(checks, as_json=given.json)
    is_fine = bool(checks) and all(check.result in ("agree", "nothing to run") for check in checks)
    return 0 if is_fine and not damage else FAILED


def _checker_of(
    session: SessionFile, names: Mapping[str, str], settings: Settings, client: EngineClient
) -> SessionChecker:
    def same() -> bool:
        return client.hello is not None and same_libraries(session.header.versions, client.hello.versions)

    return SessionChecker(
        client,
        names,
        allow_pickle=settings.allow_pickle,
        same_libraries=same,
        find_place=KnownPlaces(state_folder(settings)).find,
        known_server=partial(known_server, settings=settings),
    )


def _show_progress(text: str) -> None:
    """In place of what stood on the last line, where that is a terminal's."""
    if sys.stderr.isatty():
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def _print_checks(checks: Sequence[CheckedStep], *, as_json: bool) -> None:
    if as_json:
        for check in checks:
            print(json.dumps(_check_row(check), allow_nan=False))
        return
    console = make_console()
    for check in checks:
        if check.digests:
            console.print(Text(f"{describe(check.step.request)}: another model. {prose(check.digests)}", "red"))
    table = make_table("step", "request", "result", "", right=("step",))
    for check in checks:
        if check.result != "nothing to run":
            result = Text(check.result, _COLOURS[check.result])
            table.add_row(str(check.step.number), Text(describe(check.step.request)), result, Text(prose(check.said)))
    console.print(table)
    console.print(Text(tally(checks)))


def _check_row(check: CheckedStep) -> dict[str, Any]:
    question = describe(check.step.request)
    return {"step": check.step.number, "question": question, "verdict": check.result, "said": check.said}
