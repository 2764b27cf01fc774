"""A tokenizer's chat template, rendered: the one place where a template of a stranger's folder runs.

A template is Jinja in transformers' immutable sandbox. Some write the date (Llama 3.1, Granite); they are given one
fixed day and not the clock, so that all prompts of a loaded model, and those of a session that is checked later, are
of the same day.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING

from explorer.base.templates import SLOT
from explorer.engine.models.errors import ModelError, PromptError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_HINT = "Ask without the chat template (--plain)."


class ChatTemplate:
    """The chat template of one tokenizer, on one day."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, day: str = "") -> None:
        """`day`: the date that the template is given, ISO 8601; empty: today's.

        Raises `ModelError` where `day` is no date.
        """
        self._tokenizer = tokenizer
        try:
            chosen = date.fromisoformat(day) if day else date.today()
        except ValueError as error:
            raise ModelError(f"{day!r} is not a date", hint="Write it as 2026-11-28.") from error
        self._now = datetime.combine(chosen, time())
        self.day: str = chosen.isoformat() if "strftime_now" in str(tokenizer.chat_template) else ""
        """The date that it may write, ISO 8601; empty where it asks for none."""

    def render(self, question: str) -> str:
        """The template around `question` as the user's turn, up to where the answer begins.

        The question is given as text, and as a list of parts where the template makes nothing of text. Raises
        `PromptError` with what the template says where it fails or loses one of the question's slots (`{token}`).
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
        try:
            prompt = self._run([{"type": "text", "text": question}])
        except PromptError:
            raise failure from None
        if prompt.count(SLOT) != question.count(SLOT) or "'type'" in prompt:  # the list itself was written
            raise failure
        return prompt

    def _run(self, content: str | list[dict[str, str]]) -> str:
        try:
            # transformers' own sandbox, without `apply_chat_template`, which lets no function of ours through
            from transformers.utils.chat_template_utils import _compile_jinja_template

            template = _compile_jinja_template(self._tokenizer.get_chat_template())
            names = {name: str(token) for name, token in self._tokenizer.special_tokens_map.items()}
            turns = [{"role": "user", "content": content}]
            context = {"tools": None, "documents": None, "add_generation_prompt": True, **names}
            return str(template.render(messages=turns, strftime_now=self._write_date, **context))
        except Exception as error:  # the template is a stranger's program and may raise anything
            said = " ".join(str(error).split())[:300]
            raise PromptError(f"the chat template fails: {type(error).__name__}: {said}", hint=_HINT) from error

    def _write_date(self, form: str) -> str:
        return self._now.strftime(form)
