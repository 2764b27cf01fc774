"""One road for every unexpected error of the screen's side: none is lost, and none ends the program.

A worker is started by `run_guarded`; a class whose handlers must outlive an error inherits `Guarded`; what other code
calls back is wrapped by `guard_call`. All three hand the error to the App's `_handle_exception`, which notes it as a
`Defect`. Under an App that is not ours (a test of one pane) that ends the App, as Textual does.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual._context import NoActiveAppError
from textual.app import App, ScreenStackError
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker, WorkerFailed

Work = Callable[[], Awaitable[None]]
_DRAWING = "_compositor.py"
"""Textual's module without which nothing can be shown, no notice either."""


class Guarded(MessagePump):
    """Handles its messages to the last: an error in a handler is reported, and the next message is taken."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            report_error(self, error)


def report_error(node: MessagePump, error: Exception) -> None:
    """Hand `error`, in the work of `node`, to the App; not where that is about to go and misses its widgets, as a box
    that was closed before it was filled."""
    if is_there(node) or not is_look_up(error):
        node.app._handle_exception(error)


def is_there(node: MessagePump) -> bool:
    """Whether `node` is on the screen, and not about to be taken off it."""
    return node.is_attached and not (isinstance(node, Widget) and node._pruning)


def is_on_top(screen: Screen[Any]) -> bool:
    """Whether `screen` has the keys."""
    return screen.app.screen_stack[-1:] == [screen]


def run_guarded(node: DOMNode, work: Work, *, group: str = "default", exclusive: bool = False) -> Worker[None]:
    """Run `work` as a worker of `node`; an error in it is reported. `exclusive`: earlier work of the group is ended."""
    guarded = partial(_guard, node, work)
    # Without a description Textual writes one out of all that the work holds: 40 ms for a map of 49,152 tokens.
    return node.run_worker(guarded, group=group, description=group, exclusive=exclusive)


async def _guard(node: DOMNode, work: Work) -> None:
    try:
        await work()
    except Exception as error:
        report_error(node, error)


def guard_call(app: App[Any], function: Callable[..., None]) -> Callable[..., None]:
    """`function`, whose errors are reported and do not reach its caller."""

    def call(*arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception as error:
            app._handle_exception(error)

    return call


@dataclass(frozen=True)
class Defect:
    """An unexpected error."""

    summary: str
    """One line: the error's class and message."""
    traceback: str
    """All of it, as Python writes it."""


class Defects:
    """The unexpected errors of this run of the program, each once."""

    def __init__(self) -> None:
        self.found: list[Defect] = []

    def note(self, error: Exception) -> Defect | None:
        """Keep `error`; None where the same one is known (a timer fails again and again)."""
        defect = describe_defect(error)
        if defect in self.found:
            return None
        self.found.append(defect)
        return defect


def describe_defect(error: Exception) -> Defect:
    """`error` in words; of a failed worker, the error in its work."""
    cause = error.error if isinstance(error, WorkerFailed) else error
    said = " ".join(str(cause).split())
    summary = f"{type(cause).__name__}: {said}" if said else type(cause).__name__
    return Defect(summary, "".join(traceback.format_exception(cause)))


def is_look_up(error: Exception) -> bool:
    """Whether a widget or a screen was looked for that is not there."""
    return isinstance(error, NoMatches | NoScreen | ScreenStackError | NoActiveAppError)


def prevents_drawing(error: Exception) -> bool:
    """Whether `error` came while the screen was laid out or drawn: a notice of it could not be seen."""
    return any(frame.f_code.co_filename.endswith(_DRAWING) for frame, _ in traceback.walk_tb(error.__traceback__))
