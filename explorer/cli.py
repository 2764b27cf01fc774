"""The command line: arguments → settings → engine client → explorer or headless verb. The composition root."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.headless.parsers import PROGRAM, SESSION_VERB_NAMES, explorer_parser, verb_names, verb_parser
from explorer.headless.word_parser import WordParser

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.pipe.client import EngineClient
    from explorer.sessions.file.store import SessionWriter
    from explorer.settings import Settings
    from explorer.specs.command_line import Verb
    from explorer.tui.live.app import ExplorerApp
    from explorer.tui.shell.openings import Opening, OpenLive, OpenNew, OpenResumed

WRONG_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit status: 0, 1 for a failure said in one line, 2 for wrong usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["engine"]:
        return _run_engine(words[1:])
    if words and words[0] in SESSION_VERB_NAMES:
        return _run_session_verb(words)
    if words and (verb := _find_verb(words[0])) is not None:
        return _run_verb(verb, words[1:])
    if words and (near := _verbs_like(words[0])):
        word, meant = words[0], " or ".join(near)
        _tell(f"there is no verb '{word}': did you mean {meant}? A model of that name is ./{word} or org/{word}.")
        return WRONG_USAGE
    return _run_explorer(words)


def _run_engine(words: Sequence[str]) -> int:
    parser = WordParser(
        prog=f"{PROGRAM} engine",
        description="Serve models through a pipe: what --engine starts, here or behind ssh. It reads and writes binary"
        " frames, and is of no use at a terminal.",
    )
    parser.parse_args(words)
    if sys.stdin.isatty() or sys.stdout.isatty():
        parser.error("the engine speaks through a pipe, not to a terminal: it is for --engine, such as"
                     f" {PROGRAM} --engine 'ssh BOX {PROGRAM} engine'")  # fmt: skip
    from explorer.engine.leash import end_with_client

    end_with_client()
    from explorer.engine.server import main as serve

    serve()
    return 0


def _find_verb(word: str) -> Verb | None:
    """The verb of that name: ours, or of another package where it can be no source."""
    from explorer.specs.registry import REGISTRY

    if (verb := REGISTRY.verb(word)) is not None or not word.isidentifier():
        return verb
    _add_plugins()
    return REGISTRY.verb(word)


def _verbs_like(word: str) -> list[str]:
    """The verbs that a mistyped word may mean; none where it can be the name of a model here."""
    from difflib import get_close_matches
    from os.path import exists

    if not word.isidentifier() or exists(word):
        return []
    return get_close_matches(word, (*verb_names(), *SESSION_VERB_NAMES, "engine"), cutoff=0.7)


def _safe(text: str) -> str:
    from explorer.base.text import visible

    return visible(text, spaces=False)


def _tell(text: str) -> None:
    """One line on stderr."""
    print(f"{PROGRAM}: {_safe(text)}", file=sys.stderr)


def _has_terminal() -> bool:
    """Whether a screen can be shown; said on stderr where not."""
    if sys.stdin.isatty() and sys.stderr.isatty():  # Textual draws on stderr
        return True
    verbs = ", ".join((*verb_names(), *SESSION_VERB_NAMES))
    _tell(f"the explorer needs a terminal; verbs without a screen: {verbs}")
    return False


def _hear_interrupts() -> None:
    """Let Ctrl+C stop what runs from here on as a `KeyboardInterrupt`; imports before were ended by it at once."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _add_plugins() -> None:
    """Add the verbs of other packages; what is wrong with those left out is told on stderr."""
    from explorer.specs.plugins import add_plugins

    for problem in add_plugins():
        _tell(problem)


def _flags(given: Namespace) -> dict[str, object]:
    names = ("theme", "seed", "dtype", "device", "allow_pickle", "tokenizer", "chat_day", "engine")
    flags: dict[str, object] = {name: getattr(given, name, None) for name in names}
    if getattr(given, "verb", None) is None and given.sources:
        flags["models"] = given.sources
    return flags


def _run_verb(verb: Verb, words: Sequence[str]) -> int:
    from pathlib import Path

    from explorer.base.errors import ExplorerError
    from explorer.headless.run import run_verb, say_error
    from explorer.settings import read_settings

    _hear_interrupts()
    parser = verb_parser(verb)
    given = parser.parse_args(words)
    given.verb = verb.name
    try:
        if verb.before is not None:
            verb.before(given, parser.error)
        settings = read_settings(Path(given.settings) if given.settings else None, flags=_flags(given))
        return run_verb(verb, given, settings, _client(settings))
    except ExplorerError as error:
        return say_error(error)


def _run_session_verb(words: Sequence[str]) -> int:
    from explorer.headless.session_verbs import run_session_verb

    _add_plugins()
    _hear_interrupts()

    def open_replay(path: Path, settings: Settings) -> int:
        if not _has_terminal():
            return WRONG_USAGE
        from explorer.tui.shell.openings import OpenReplay  # the screen is loaded only where it is shown

        return Screens(settings, None).show(OpenReplay(path))

    return run_session_verb(words, _client, open_replay)


def _run_explorer(words: Sequence[str]) -> int:
    gc.disable()  # until the panes are open: imports make no garbage, and looking for it costs a fifth of them
    parser = explorer_parser()
    given = parser.parse_args(words)
    if given.resume is not None and given.session:
        parser.error("--resume appends to the same file: leave --session out")
    if given.print_completion is not None or given.install_completion is not None:
        return _complete(given)
    from pathlib import Path

    from explorer.base.errors import ExplorerError
    from explorer.sessions.file.store import chosen_path
    from explorer.settings import read_settings, state_folder
    from explorer.tui.shell.openings import OpenNew, OpenResumed

    place = Path(given.settings) if given.settings else None
    try:
        settings = read_settings(place, flags=_flags(given))
        opening: Opening
        if given.resume is not None:
            from explorer.sessions.file.recent import find_session, latest_session

            sessions = state_folder(settings) / "sessions"
            path = find_session(given.resume) if given.resume else latest_session(sessions)
            opening = OpenResumed(path, tuple(given.sources))
        else:
            opening = OpenNew(chosen_path(given.session) if given.session else None)
        _hear_interrupts()
        return Screens(settings, place).show(opening) if _has_terminal() else WRONG_USAGE
    except ExplorerError as error:
        _tell(error.line)
        return 1


def _complete(given: Namespace) -> int:
    from explorer.base.errors import ExplorerError
    from explorer.headless.completion import completion_of, install_completion

    try:
        if given.print_completion is not None:
            print(completion_of(given.print_completion))
        else:
            print("\n".join(install_completion(given.install_completion)))
    except ExplorerError as error:
        _tell(error.line)
        return 1
    return 0


def _client(settings: Settings) -> EngineClient:
    from explorer.pipe.client import LOCAL_ENGINE, EngineClient
    from explorer.settings import LIMITS_VARIABLE, engine_words

    if settings.limits != 1:
        os.environ[LIMITS_VARIABLE] = f"{settings.limits:g}"  # an engine on this machine looks at it
    return EngineClient(engine_words(settings) or LOCAL_ENGINE)


class Screens:
    """Screens shown one after the other in one event loop, so that an engine can outlive the screen that started it."""

    def __init__(self, settings: Settings, place: Path | None) -> None:
        self._settings = settings
        self._place = place
        self._loop = asyncio.new_event_loop()
        self._client: EngineClient | None = None
        self._last: SessionWriter | None = None

    def show(self, opening: Opening) -> int:
        """Show what is to be opened and whatever follows it; the exit status. Raises `ExplorerError` where the first
        cannot be opened."""
        from explorer.base.errors import ExplorerError

        status = 0
        following: Opening | None = opening
        try:
            while following is not None:
                try:
                    status, following = self._show_one(following)
                except ExplorerError as error:
                    if following is opening:
                        raise
                    _tell(error.line)
                    return 1
        finally:
            if self._client is not None:
                self._loop.run_until_complete(self._client.stop())
            self._loop.close()
            self._tell_session()
        return status

    def _show_one(self, opening: Opening) -> tuple[int, Opening | None]:
        """Show one screen; the exit status, and what its user wants to see next."""
        from explorer.tui.shell.openings import OpenReplay

        if isinstance(opening, OpenReplay):
            from explorer.sessions.file.reader import SessionFile
            from explorer.tui.replay.app import ReplayApp

            replay = ReplayApp(SessionFile(opening.path), self._settings)
            replay.ending.then = opening.back
            replay.run(loop=self._loop)
            return replay.return_code or 0, replay.ending.then
        app = self._explorer(opening)
        app.run(loop=self._loop)
        loss = app.recorder.loss()
        app.session.close()  # what comes next may append to the same file
        self._last = app.session
        if loss:
            with contextlib.suppress(OSError):  # the terminal may be gone
                _tell(loss)
        return app.return_code or (1 if loss else 0), app.ending.then

    def _explorer(self, opening: OpenNew | OpenResumed | OpenLive) -> ExplorerApp:
        import msgspec

        from explorer.sessions.file.reader import SessionFile
        from explorer.sessions.file.store import SessionWriter, new_session_path
        from explorer.settings import state_folder
        from explorer.tui.live.app import ExplorerApp
        from explorer.tui.shell.openings import OpenNew, OpenResumed

        settings = self._settings
        self._client = self._client or _client(settings)
        folder = state_folder(settings) / "sessions"
        if isinstance(opening, OpenNew):
            path = opening.path or new_session_path(folder)
            session = SessionWriter(path, seed=settings.seed, automatic=opening.path is None)
            return ExplorerApp(self._client, session, settings, self._place)
        if isinstance(opening, OpenResumed):
            session = SessionWriter(opening.path, seed=settings.seed)
            settings = msgspec.structs.replace(settings, models=opening.sources)
            return ExplorerApp(self._client, session, settings, self._place, before=SessionFile(opening.path))
        parent = opening.parent.name
        session = SessionWriter(new_session_path(folder), seed=settings.seed, parent=parent, automatic=True)
        settings = msgspec.structs.replace(settings, models=())
        return ExplorerApp(self._client, session, settings, self._place, again=opening.models)

    def _tell_session(self) -> None:
        """Where the last session is and how to resume it, where anything was recorded."""
        if self._last is not None and self._last.path.exists() and sys.stdout.isatty():
            with contextlib.suppress(OSError):
                path = _safe(str(self._last.path))
                print(f"session: {path} (resume it: {PROGRAM} --resume {path})")


if __name__ == "__main__":
    sys.exit(main())
