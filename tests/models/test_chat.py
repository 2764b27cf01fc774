from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from transformers import PreTrainedTokenizerFast

from explorer.engine.models.chat import RENDERER, ChatTemplate
from explorer.engine.models.errors import ModelError, PromptError

Fast = Callable[..., PreTrainedTokenizerFast]
LLAMA_3 = (
    "{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
    "Today Date: {{ date_string }}\n{{ messages[0]['content'] }}"
)
PARTS = (
    "{% for m in messages %}{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}<image>{% endif %}{% endfor %}{% endfor %}Assistant:"
)
STRICT_PARTS = "{% if messages[0]['content'] is string %}{{ raise_exception('parts') }}{% endif %}" + PARTS


def chat(fast: Fast, template: str, day: str = "") -> ChatTemplate:
    return ChatTemplate(fast("byte-level", chat_template=template, eos_token="<|im_end|>"), day)


def test_the_date_is_of_the_day_named_or_of_today(fast: Fast) -> None:
    assert chat(fast, LLAMA_3, "2024-07-26").render("hi") == "Today Date: 26 Jul 2024\nhi"
    assert chat(fast, LLAMA_3, "2024-07-26").day == "2024-07-26"
    today = chat(fast, LLAMA_3)
    assert date.fromisoformat(today.day).strftime("%d %b %Y") in today.render("hi")


def test_a_template_without_a_date_has_no_day(fast: Fast) -> None:
    assert chat(fast, "{{ messages[0].content }}{{ eos_token }}", "2024-07-26").day == ""
    assert chat(fast, "{{ messages[0].content }}{{ eos_token }}").render("hi") == "hi<|im_end|>"


@pytest.mark.parametrize("template", [PARTS, STRICT_PARTS])
def test_content_is_given_as_parts_where_text_is_lost_or_refused(fast: Fast, template: str) -> None:
    assert chat(fast, template).render("Say '{token}'.") == "Say '{token}'.Assistant:"


def test_parts_are_never_written_as_they_are(fast: Fast) -> None:
    """A template that asks for a system message: no list of parts in place of the text."""
    template = "{% if messages[0]['content'] is string %}{{ raise_exception('no') }}{% endif %}{{ messages }}"
    with pytest.raises(ModelError, match="TemplateError: no"):
        chat(fast, template).render("Say '{token}'.")


def test_the_hint_of_a_failing_template_can_be_followed(fast: Fast) -> None:
    with pytest.raises(ModelError) as refused:
        chat(fast, "{{ raise_exception('System message is required') }}").render("hi")
    assert "System message is required" in refused.value.message
    assert "--plain" in refused.value.hint


@pytest.mark.parametrize("call", ["strftime_now(7)", "strftime_now()", "strftime_now.__globals__['os']"])
def test_the_date_is_no_way_out_of_the_sandbox(fast: Fast, call: str) -> None:
    with pytest.raises(ModelError, match="chat template fails"):
        chat(fast, f"{{{{ {call} }}}}{{{{ messages[0].content }}}}").render("{token}")


LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
DOUBLING = "{% set n = namespace(t='ab') %}{% for i in range(99) %}{% set n.t = n.t + n.t %}{% endfor %}{{ n.t }}"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (LOOP, "takes longer than 1 s"),
        (DOUBLING, "needs more than 512 MiB of memory"),
        ("{{ '%9000000000d'|format(1) }}", "needs more than 512 MiB of memory"),
        ("{{ 'a' * 10000000 }}", "writes 10,000,000 characters: more than the limit of 1,048,576"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "fails"),
    ],
    ids=["loop", "doubling", "format", "long", "deep"],
)
def test_a_template_without_end_is_ended_and_the_next_one_works(
    fast: Fast, monkeypatch: pytest.MonkeyPatch, template: str, said: str
) -> None:
    monkeypatch.setattr("explorer.engine.models.chat.MOST_SECONDS", 1 if template == LOOP else 20)
    with pytest.raises(PromptError, match=said) as refused:
        chat(fast, template).render("{token}")
    assert "\n" not in refused.value.line
    assert chat(fast, "<{{ messages[0]['content'] }}>").render("a") == "<a>"


def test_a_renderer_that_dies_is_started_anew(fast: Fast) -> None:
    kept = chat(fast, "<{{ messages[0]['content'] }}>")
    assert kept.render("a") == "<a>"
    assert RENDERER._process is not None
    RENDERER._process.kill()
    RENDERER._process.wait()
    assert kept.render("b") == "<b>"
