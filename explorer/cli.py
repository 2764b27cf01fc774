"""The command line: arguments → settings → engine client → explorer or headless verb. The composition root."""

from __future__ import annotations

import gc
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.headless.parsers import SESSION_VERB_NAMES, explorer_parser, verb_names, verb_parser
from explorer.headless.word_parser import PROGRAM, WordParser
from explorer.screens import Screens, client_of, tell

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.settings import Settings
    from explorer.specs.command_line import Verb
    from explorer.tui.shell.openings import Opening

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
        tell(f"there is no verb '{word}': did you mean {meant}? A model of that name is ./{word} or org/{word}.")
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


def _has_terminal() -> bool:
    """Whether a screen can be shown; said on stderr where not."""
    if sys.stdin.isatty() and sys.stderr.isatty():  # Textual draws on stderr
        return True
    verbs = ", ".join((*verb_names(), *SESSION_VERB_NAMES))
    tell(f"the explorer needs a terminal; verbs without a screen: {verbs}")
    return False


def _hear_interrupts() -> None:
    """Let Ctrl+C stop what runs from here on as a `KeyboardInterrupt`; imports before were ended by it at once."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _add_plugins() -> None:
    """Add the verbs of other packages; what is wrong with those left out is told on stderr."""
    from explorer.specs.plugins import add_plugins

    for problem in add_plugins():
        tell(problem)


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
        return run_verb(verb, given, settings, client_of(settings))
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

    return run_session_verb(words, client_of, open_replay)


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
        from explorer.headless.run import say_error

        return say_error(error)


def _complete(given: Namespace) -> int:
    from explorer.base.errors import ExplorerError
    from explorer.headless.completion import completion_of, install_completion

    try:
        if given.print_completion is not None:
            print(completion_of(given.print_completion))
        else:
            print("\n".join(install_completion(given.install_completion)))
    except ExplorerError as error:
        tell(error.line)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
