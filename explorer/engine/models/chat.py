"""A tokenizer's chat template, rendered in a process of its own with limits on time, memory and output.

A template is Jinja in transformers' immutable sandbox, which keeps it from the machine but lets it loop for ever. Some
templates write the date (Llama 3.1, Granite); they are given one fixed day and not the clock, so that all prompts of a
loaded model, and those of a session that is checked later, are of the same day.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from explorer.base.templates import SLOT
from explorer.engine.models.chat_renderer import MOST_CHARACTERS
from explorer.engine.models.checkpoints.limits import raised
from explorer.engine.models.errors import ModelError, PromptError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MOST_SECONDS = 5
"""For one prompt: templates take milliseconds."""
_START_SECONDS = 120
_HINT = "Ask without the chat template (--plain)."
_RENDERER = (sys.executable, "-m", "explorer.engine.models.chat_renderer")


class ChatTemplate:
    """The chat template of one tokenizer, on one day."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, day: str = "") -> None:
        """`day`: the date that the template is given, ISO 8601; empty: today's.

        Raises `ModelError` where `day` is no date.
        """
        self._tokenizer = tokenizer
        try:
            self._now = date.fromisoformat(day) if day else date.today()
        except ValueError as error:
            raise ModelError(f"{day!r} is not a date", hint="Write it as 2026-11-28.") from error
        self.day: str = self._now.isoformat() if "strftime_now" in str(tokenizer.chat_template) else ""
        """The date that it may write, ISO 8601; empty where it asks for none."""

    def render(self, question: str) -> str:
        """The template around `question` as the user's turn, up to where the answer begins.

        The question is given as text, and as a list of parts where the template makes nothing of text. Raises
        `PromptError` with what the template says where it fails, loses one of the question's slots (`{token}`), or
        takes more time, memory or characters than the limits.
        """
        try:
            prompt = self._run(question)
        except PromptError as error:
            return self._render_parts(question, error)
        if prompt.count(SLOT) < question.count(SLOT):
            lost = PromptError("the chat template drops a part of the question", hint=_HINT)
            return self._render_parts(question, lost)
        return prompt

    def _render_parts(self, question: str, failure: PromptError) -> str:
        """The question as a list of parts (LLaVA, Idefics: content is text and images); raises `failure` where that
        gives no whole prompt either."""
        if isinstance(failure, _TooSlow):
            raise failure
        try:
            prompt = self._run([{"type": "text", "text": question}])
        except PromptError:
            raise failure from None
        if prompt.count(SLOT) != question.count(SLOT) or "'type'" in prompt:  # the list itself was written
            raise failure
        return prompt

    def _run(self, content: str | list[dict[str, str]]) -> str:
        try:
            template = self._tokenizer.get_chat_template()
        except Exception as error:  # of several named ones none is the default
            raise PromptError(f"the chat template fails: {' '.join(str(error).split())[:300]}", hint=_HINT) from error
        names = {name: str(token) for name, token in self._tokenizer.special_tokens_map.items()}
        turns = [{"role": "user", "content": content}]
        context = {"messages": turns, "tools": None, "documents": None, "add_generation_prompt": True, **names}
        return RENDERER.render({"template": template, "context": context, "day": self._now.isoformat()})


class _TooSlow(PromptError):
    """The template was ended."""


class Renderer:
    """Keeps the process that renders; it is started when it is first needed, and anew where it had to be ended. It ends
    with this one. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, asked: Mapping[str, Any]) -> str:
        """What the process answers; raises `PromptError` where the template fails or is beyond a limit."""
        limits = {"seconds": raised(MOST_SECONDS), "characters": raised(MOST_CHARACTERS)}
        line = json.dumps({**asked, **limits}).encode() + b"\n"
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = _start()
            answer = _exchange(self._process, line, limits["seconds"])
        if answer is None:
            raise _TooSlow(f"the chat template takes longer than {limits['seconds']} s", hint=_HINT)
        if "failure" in answer:
            raise PromptError(f"the chat template fails: {answer['failure']}", hint=_HINT)
        return answer["text"]


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(_RENDERER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if _exchange(process, b"", _START_SECONDS) is None:
        raise PromptError("the process that renders chat templates cannot be started", hint=_HINT)
    return process


def _exchange(process: subprocess.Popen[bytes], line: bytes, seconds: float) -> dict[str, str] | None:
    """Say a line to the process and read its answer; None where it ended or had to be ended after so many seconds."""
    assert process.stdin is not None, "it was started with pipes"
    assert process.stdout is not None, "it was started with pipes"
    ending = threading.Timer(seconds, process.kill)
    ending.daemon = True
    ending.start()
    try:
        process.stdin.write(line)
        process.stdin.flush()
        answer: dict[str, str] = json.loads(process.stdout.readline())
    except (OSError, ValueError):
        process.kill()
        process.wait()
        return None
    finally:
        ending.cancel()
    return answer


RENDERER = Renderer()
"""One for all tokenizers of this process."""
