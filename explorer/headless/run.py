"""Runs one verb: start an engine, load the sources, ask, print, and record where a session is named."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.inspect import FindToken, TokenFound
from explorer.base.records.models import ModelInfo, ModelLoaded
from explorer.base.records.record import Failure, Progress
from explorer.base.records.token_lists import MatchTokenList
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled
from explorer.base.text import visible
from explorer.base.token_lists import read_token_list
from explorer.headless.progress import ProgressLine
from explorer.headless.render import UNCUT, print_blocks
from explorer.pipe.client import Answered, EngineClient, Pending, is_of_stopped_engine
from explorer.sessions.file.known_places import KnownPlaces
from explorer.sessions.file.store import SessionWriter, chosen_path, is_recorded
from explorer.settings import Settings, load_request, state_folder
from explorer.specs.command_line import Asked, Verb
from explorer.specs.registry import spec_of

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
LOG_LINES = 5
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
STOPS_WITHIN = 2.0
"""Seconds that a request is waited for after Ctrl+C."""


@dataclass
class Conversation:
    """An engine and the session that keeps what it says."""

    client: EngineClient
    session: SessionWriter | None
    quiet: bool

    async def ask(self, request: AnyRequest, *, record: bool = True) -> AnyOutcome:
        """The outcome of `request`; raises `ExplorerError` for a Failure, after it is recorded."""
        line = ProgressLine(sys.stderr, quiet=self.quiet)
        pending = self.client.submit(request, line.tell)
        try:
            answered = await asyncio.shield(pending.answer)
        except asyncio.CancelledError:
            _say_kept(request, line.reached)
            if record:
                self._record(request, await self._stopped(pending))
            raise
        if record:
            self._record(request, answered)
        if isinstance(answered.outcome, Failure):
            if is_of_stopped_engine(answered.outcome):
                say_last_words(self.client, answered.outcome.message)
                raise ExplorerError(answered.outcome.message)
            kind = UsageError if answered.outcome.wrong_usage else ExplorerError
            raise kind(answered.outcome.message, answered.outcome.hint)
        if isinstance(answered.outcome, Cancelled):
            hint = (
                "The same command goes on from there; a limit in [[servers]] may be raised."
                if answered.outcome.why
                else ""
            )
            raise ExplorerError(answered.outcome.why or "stopped", hint)
        return answered.outcome

    async def _stopped(self, pending: Pending) -> Answered:
        """What had been found when a request was stopped; nothing where the engine is inside a call that hears nothing.
        A second Ctrl+C ends the wait."""
        self.client.cancel(pending.number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOPS_WITHIN):
                return await asyncio.shield(pending.answer)
        return Answered(Cancelled(), time.monotonic() - pending.asked_at)

    def _record(self, request: AnyRequest, answered: Answered) -> None:
        if self.session is None or not is_recorded(request):
            return
        if self.client.hello is not None:
            self.session.use_versions(self.client.hello.versions)
        before = self.session.trouble
        self.session.append(self.session.step(request, answered.outcome, answered.seconds))
        if self.session.trouble not in (before, ""):  # once; what is lost in the end is said in the end
            _say(self.session.trouble)

    async def load(self, sources: Sequence[str], settings: Settings) -> tuple[ModelInfo, ...]:
        """Load `sources` in order."""
        infos = []
        for source in sources:
            outcome = await self.ask(load_request(source, settings))
            assert isinstance(outcome, ModelLoaded)
            KnownPlaces(state_folder(settings)).remember(source, outcome.info, settings.tokenizer)
            infos.append(outcome.info)
        return tuple(infos)

    async def match_lists(self, models: Sequence[ModelInfo], given: Namespace, settings: Settings) -> None:
        """Have the published lists of the options and settings matched with each model, and say what came of it."""
        if not hasattr(given, "lists"):
            return
        for file in dict.fromkeys((*given.lists, *settings.lists)):
            found = read_token_list(Path(file).expanduser())
            for model in models:
                request = MatchTokenList(model=model.name, **found._asdict())
                outcome = await self.ask(request)
                if not self.quiet:
                    _say(spec_of(request).summarise(outcome))

    async def tokens(self, models: Sequence[ModelInfo], given: Namespace) -> list[tuple[int | None, ...]]:
        """Each token that the options name, as an id of each model (by its exact bytes); one without an id where none
        is named."""
        first = models[0].name if models else ""
        wanted = [
            FindToken(model=first, token_bytes=text.encode().hex()) for text in getattr(given, "token", None) or ()
        ]
        wanted += [FindToken(model=first, token_id=token_id) for token_id in getattr(given, "token_id", None) or ()]
        if not wanted or not models:
            return [tuple(None for _ in models)]
        return [await self._ids_of(one, models) for one in wanted]

    async def _ids_of(self, wanted: FindToken, models: Sequence[ModelInfo]) -> tuple[int, ...]:
        ids: list[int] = []
        for model in models:
            found = await self.ask(msgspec.structs.replace(wanted, model=model.name), record=False)
            assert isinstance(found, TokenFound)
            ids.append(found.token.token_id)
            wanted = FindToken(model=model.name, token_bytes=found.token.token_bytes)
        return tuple(ids)


async def converse(
    verb: Verb, given: Namespace, settings: Settings, client: EngineClient, session: SessionWriter | None
) -> None:
    """Ask what `verb` asks and print it. Raises `ExplorerError`."""
    try:
        await client.start()
    except OSError as error:
        raise ExplorerError(f"the engine cannot be started: {error}", hint="Check --engine.") from error
    try:
        conversation = Conversation(client, session, quiet=given.json or given.quiet)
        models = await conversation.load(getattr(given, "sources", ()), settings)
        _tell_quantised(models, given)
        await conversation.match_lists(models, given, settings)
        naming = {"none": (), "first": models[:1]}.get(verb.token, models)
        tokens = tuple(await conversation.tokens(naming, given))
        for ids in tokens[:1] if verb.token == "together" else tokens:
            for request in verb.requests(Asked(given, settings, models, ids, tokens)):
                outcome = await conversation.ask(request)
                _print(verb, request, outcome, given)
                if verb.after is not None:
                    verb.after(given, request, outcome)
    finally:
        await client.stop()


def _tell_quantised(models: Sequence[ModelInfo], given: Namespace) -> None:
    """Say on stderr which models' numbers come from quantised weights: not every outcome has a place for it."""
    for model in () if given.quiet else models:
        if model.quantisation:
            _say(f"{model.name}: quantised weights ({model.quantisation})")


def _print(verb: Verb, request: AnyRequest, outcome: AnyOutcome, given: Namespace) -> None:
    spec = spec_of(request)
    if not given.json:
        print_blocks(spec.blocks(request, outcome) if verb.blocks is None else verb.blocks(given, request, outcome))
        return
    for row in spec.json_rows(outcome) if verb.rows is None else verb.rows(given, outcome):
        print(json.dumps(row, allow_nan=False))  # ASCII: no token moves the cursor of a terminal
    if given.quiet:
        return
    for note in getattr(outcome, "notes", ()):  # remarks that none of the rows carries
        _say(f"{getattr(outcome, 'model', '')}: {note}")


def run_verb(verb: Verb, given: Namespace, settings: Settings, client: EngineClient) -> int:
    """Run `verb`; the exit status: 0, 1 for a failure or steps not recorded, said in one line, 130 after Ctrl+C."""
    try:
        session = _open_session(given, settings)
    except ExplorerError as error:
        return say_error(error)
    loss = ""
    try:
        status = _run(verb, given, settings, client, session)
    finally:  # also where the output cannot be written
        if session is not None:
            loss = _close(session)
    return status or (FAILED if loss else 0)


def _close(session: SessionWriter) -> str:
    """What of the session could not be written in the end; said on stderr."""
    if session.unwritten:
        session.flush()
    if loss := session.loss():
        _say(loss)
    session.close()
    return loss


def _open_session(given: Namespace, settings: Settings) -> SessionWriter | None:
    if not given.session:
        return None
    session = SessionWriter(chosen_path(given.session), seed=settings.seed)
    if session.recovered:
        _say(f"{session.path.name}: {session.recovered}")
    return session


def _say_kept(request: AnyRequest, reached: Progress | None) -> None:
    """What a run that was stopped leaves, where it leaves anything."""
    if reached is None or not spec_of(request).resumable:
        return
    if sys.stderr.isatty():
        print(file=sys.stderr)
    _say(f"{reached.done:,} of {reached.total:,} {reached.what}: they are kept on disk, and the same command continues")


@contextmanager
def ended_like_interrupted() -> Iterator[list[int]]:
    """A TERM (of `timeout`, of a job's end), HUP or QUIT stops a run as Ctrl+C does; the list then holds its number.
    What was ignored (`nohup`) stays so."""
    received: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        received.append(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # what a script starts in the background has it so
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number in _ENDING:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number in _ENDING:
            signal.signal(number, before[number])


def _run(verb: Verb, given: Namespace, settings: Settings, client: EngineClient, session: SessionWriter | None) -> int:
    try:
        with ended_like_interrupted() as received:
            asyncio.run(converse(verb, given, settings, client, session))
        sys.stdout.flush()
    except ExplorerError as error:
        return say_error(error)
    except KeyboardInterrupt:
        _say("stopped")
        return 128 + received[0] if received else INTERRUPTED
    return 0


def say_error(error: ExplorerError) -> int:
    """One line on stderr, safe for the terminal whatever the message quotes; the exit status: 2 for wrong usage."""
    _say(error.line)
    return WRONG_USAGE if isinstance(error, UsageError) else FAILED


def say_last_words(client: EngineClient, said: str = "") -> None:
    """The last lines of the engine's log on stderr, those left out that are `said` already."""
    lines = [line for line in client.log_lines() if line.strip()][-LOG_LINES:]
    for line in lines:
        if not said.endswith(line):
            print(f"engine: {visible(line, spaces=False)[:UNCUT]}", file=sys.stderr)


def _say(text: str) -> None:
    print(f"glitch-explore: {visible(text, spaces=False)}", file=sys.stderr)
