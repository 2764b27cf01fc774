"""What models said when asked to repeat a token, as lines: a pure function of what is known so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textual.content import Content

from explorer.base.lazy_sequence import Joined, Made
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import Reply, ReplyClass, ReplyPart, TokenReplies
from explorer.base.records.unions import Cancelled
from explorer.base.shares import count_said, shorten_said, shorten_share
from explorer.base.text import visible
from explorer.specs.repeat_back import finished_outcomes
from explorer.tui.panes.asking import failure_lines
from explorer.tui.panes.repeat_back.attempts import Attempt
from explorer.tui.widgets.cutting import cut_numbers
from explorer.tui.widgets.fitted_line import fitting
from explorer.tui.widgets.number_columns import GivenColumn
from explorer.tui.widgets.prompt_lines import (
    MUTED,
    TOKEN_STYLE,
    fill,
    fit,
    prompt_lines,
    reply_text,
    template_form,
    token_text,
)
from explorer.tui.widgets.selecting import BAR

SIGNS: dict[ReplyClass, tuple[str, str]] = {
    "exact": ("✓", "$success"),
    "contains": ("⊃", "$warning"),
    "variant": ("≈", "$warning"),
    "spelled": ("⋯", "$warning"),
    "loops": ("↻", "$error"),
    "empty": ("∅", MUTED),
    "other": ("✗", "$error"),
}
"""Sign and colour of each class of reply; the class stands beside it in words."""

CURSOR = "▌"
_SHORT_PROMPT = 4
MOST_WHOLE = 50
"""Controls whose replies are shown whole: how many lines they take is only known once they are made, and 999 of four
models would hold up a key for two seconds."""
_CLASS_CELLS = 10
_FINISH_CELLS = 7
_SHARE_CELLS = 22
_SUMMARY_CELLS = 37
"""Of a summary row, all but the token's name and the numbers."""
_SAID_AT = 10
"""The cell below the token's name."""
_LEAST_REPLY = 10
"""Cells that a control's reply is worth showing in."""
_SOME = ("◐", "$warning")
_WIDE = 84
"""From this many cells on, probabilities and ranks stand beside each reply."""


@dataclass(frozen=True)
class Look:
    """How an attempt is drawn."""

    width: int
    ids: bool
    """With each reply's token ids below it."""
    whole: bool
    """Prompts and replies are not shortened."""
    given: GivenColumn


def attempt_lines(
    attempts: Sequence[Attempt], width: int, *, ids: bool = False, whole: bool = False
) -> Sequence[Content]:
    """All `attempts` at one token, one below the other, in lines of at most `width` cells; rows of which there may be a
    thousand are made when they are looked at.

    With `ids`, each reply's token ids stand below it; with `whole`, prompts and replies are not shortened.
    """
    parts: list[Sequence[Content]] = []
    shown_prompt: str | None = None
    for attempt in attempts:
        parts.append([*([Content("")] if parts else []), _heading(attempt, width)])
        prompt = _prompt(attempt)
        if prompt != shown_prompt:
            shown_prompt = prompt
            parts.append(_prompt_block(attempt, prompt, width, None if whole else _SHORT_PROMPT))
        else:
            parts.append([fit(f"{BAR}the same prompt as above", width, MUTED)])
        if isinstance(attempt.outcome, Failure):
            parts.append(failure_lines(attempt.outcome, width))
            continue
        look = Look(width, ids, whole, GivenColumn.of(attempt.replies(), wide=width >= _WIDE))
        parts += [[_headings(look)], _reply_block(attempt, look), *_summary_block(attempt, look)]
    return Joined(parts)


def _heading(attempt: Attempt, width: int) -> Content:
    request = attempt.request
    how = f"{attempt.samples} samples  T {request.temperature:g}" if request.temperature > 0 else "greedy"
    if request.temperature > 0:
        how += (f"  top-p {request.top_p:g}" if request.top_p < 1 else "") + f"  seed {request.seed}"
    template = visible(request.template.name, spaces=False)
    name = Content.styled(f"{visible(request.model, spaces=False)}  ", "bold")
    state = _state(attempt)
    room = width - state.cell_length - 1
    rest = cut_numbers(f"{template}  {how}", room - name.cell_length)
    return fit(name + Content.styled(rest, MUTED), room) + Content(" ") + state


def _state(attempt: Attempt) -> Content:
    if attempt.outcome is None:
        tokens = sum(map(len, attempt.live.values()))
        return Content.styled(f"streaming {tokens:>4}" if tokens else "waiting", "$accent")
    if isinstance(attempt.outcome, Failure):
        return Content.styled("failed", "$error")
    if isinstance(attempt.outcome, Cancelled):
        return Content.styled("■ stopped", "$warning")
    return Content.styled(f"{attempt.seconds:.1f} s", MUTED)


def _prompt(attempt: Attempt) -> str:
    """What the model read, or until that is known what it is going to read, more or less."""
    if attempt.result is not None:
        return attempt.result.probe.prompt
    return fill(template_form(attempt.request.template), attempt.token_bytes)


def _prompt_block(attempt: Attempt, prompt: str, width: int, most: int | None) -> list[Content]:
    form = template_form(attempt.request.template)
    lines = prompt_lines(prompt, form, attempt.token, width - 2, most)
    block = [Content.styled(BAR, MUTED) + line for line in lines]
    if attempt.result is not None and not attempt.result.probe.reencodes:
        note = "! this prompt's text would encode to other ids; the model read the token's own id"
        block += [Content.styled(BAR, MUTED) + line for line in Content.styled(note, "$warning").wrap(width - 2)]
    return block


def _reply_block(attempt: Attempt, look: Look) -> Sequence[Content]:
    """The replies about the token itself, one row each (more where they are shown whole or with ids); rows not begun
    are kept free."""
    subject = attempt.request.token_id
    replies = {reply.sample: reply for reply in attempt.result.probe.replies} if attempt.result else {}
    count = max([attempt.samples, *(number + 1 for number in replies)])

    def rows(sample: int) -> Iterator[Content]:
        if (reply := replies.get(sample)) is not None:
            return _reply_rows(reply, look)
        return _live_rows(sample, attempt.live.get((subject, sample), []), attempt.outcome is None, look)

    if look.whole or look.ids:
        return [row for sample in range(count) for row in rows(sample)]
    return Made(count, lambda sample: next(rows(sample)))


def _headings(look: Look) -> Content:
    """What stands in the columns of the rows below."""
    before, after = f"    {'class':<{_CLASS_CELLS}} ", f" {'end':<{_FINISH_CELLS}} {look.given.heading}"
    reply = f"{'reply':<{max(4, look.width - len(before) - len(after))}}"
    return fit(Content.styled(before + reply + after, MUTED), look.width)


def _reply_rows(reply: Reply, look: Look) -> Iterator[Content]:
    stopped = reply.finish == "cancelled"
    verdict = Content.styled("■ stopped", "$warning") if stopped else class_label(reply.outcome)
    finish = "" if stopped else reply.finish
    yield from _rows(reply.sample, verdict, Content(reply_text(reply.reply)), reply.reply_ids, finish, reply, look)


def _live_rows(sample: int, parts: Sequence[ReplyPart], running: bool, look: Look) -> Iterator[Content]:
    """A reply in the making, or one that was stopped before its result was told."""
    text = Content(reply_text("".join(part.text for part in parts)))
    text += Content.styled(CURSOR if running and parts else "", "$accent")
    verdict = Content.styled("" if running else "■ stopped", "$warning")
    yield from _rows(sample, verdict, text, tuple(part.token_id for part in parts), "", None, look)


def _rows(
    sample: int, verdict: Content, text: Content, said: Sequence[int], finish: str, reply: Reply | None, look: Look
) -> Iterator[Content]:
    """One reply: its number, class, text, end and numbers; more rows where it is shown whole or with ids."""
    before = Content(f"{sample:>3} ") + fit(verdict, _CLASS_CELLS) + Content(" ")
    numbers = fit(look.given.text(reply), look.given.cells)
    after = Content.assemble((f" {finish:<{_FINISH_CELLS}} ", MUTED), numbers)
    indent = Content(" " * before.cell_length)
    room = max(4, look.width - before.cell_length - after.cell_length)
    pieces = text.wrap(room) if look.whole and text else [text]
    yield before + fit(pieces[0], room) + after
    yield from (indent + piece for piece in pieces[1:])
    if look.ids:
        listed = Content.styled("ids " + " ".join(map(str, said)), MUTED)
        yield from (indent + line for line in listed.wrap(look.width - before.cell_length))


def _summary_block(attempt: Attempt, look: Look) -> Iterator[Sequence[Content]]:
    """The share of exact replies for the token, and below it the same for each control."""
    result = attempt.result
    controls = result.controls if result else ()
    live = attempt.live_controls()
    names = [token_text(attempt.token_bytes), *(token_text(probe.token.token_bytes) for probe in controls)]
    cells = max(8, min(max(map(len, names)), look.width - _SUMMARY_CELLS - look.given.cells))
    own = Content.styled(names[0], TOKEN_STYLE)
    said = fitting(list(_said_shares(result.probe)) if result else ["exact or contains –"], look.width - _SAID_AT)
    yield [
        _summary("token", own, result.probe if result else None, "", cells, look),
        fit(" " * _SAID_AT + said, look.width, MUTED),
    ]

    def row(index: int) -> Content:
        if index < len(controls):
            return _summary("control", Content(names[index + 1]), controls[index], "", cells, look)
        said = _live_text(attempt, live[index]) if index < len(live) else ""
        return _summary("control", Content("…"), None, said, cells, look)

    count = max(attempt.request.controls, len(controls))
    whole = controls[:MOST_WHOLE] if look.whole else ()
    for index, probe in enumerate(whole):
        yield [row(index), *(each for reply in probe.replies for each in _reply_rows(reply, look))]
    if whole and count > len(whole):
        said = f"  … of the other {count - len(whole)} controls the first reply is shown, in one line"
        yield [fit(said, look.width, MUTED)]
    yield Made(count - len(whole), lambda index: row(len(whole) + index))
    if attempt.request.controls:
        shares = shorten_said(finished_outcomes(*controls)) if controls else ["exact –"]
        yield [fit(fitting([f"  controls {each}" for each in shares], look.width), look.width, MUTED)]


def _summary(kind: str, name: Content, probe: TokenReplies | None, said: str, cells: int, look: Look) -> Content:
    """One token's share of exact replies with its interval, and the best log-probability it was given."""
    head = Content.assemble((f"  {kind:<7} ", MUTED), fit(name, cells), "  ")
    if probe is None:
        return head + fit(said or "exact –", max(0, look.width - head.cell_length), MUTED)
    finished = _finished(probe)
    low, high = probe.interval
    room, share = look.width - look.given.cells, f"{probe.exact}/{finished}"
    shares = (f"exact {share} [{low:.2f}, {high:.2f}]", f"exact {share}", share)
    cells_of_share = room - head.cell_length - 3
    share = fitting(shares, cells_of_share).ljust(min(_SHARE_CELLS, cells_of_share))
    sign, style = share_sign(probe.exact, finished)
    best = max((reply for reply in probe.replies if reply.token_logprob is not None), key=_logprob, default=None)
    line = head + Content.assemble((f"{sign} ", style), f"{share} ")
    if probe.replies and kind == "control" and room - line.cell_length >= _LEAST_REPLY:
        line = fit(line + Content.styled(f" {reply_text(probe.replies[0].reply)}", MUTED), room - 1)
    return fit(fit(line, room) + Content(look.given.text(best)), look.width)


def _said_shares(probe: TokenReplies) -> Iterator[str]:
    """The share of replies that are the token or contain it, in less and less room."""
    outcomes = finished_outcomes(probe)
    return shorten_share("exact or contains", count_said(outcomes)[1], len(outcomes))


def class_label(outcome: ReplyClass) -> Content:
    """A class of reply as sign and word, in its colour."""
    sign, style = SIGNS[outcome]
    return Content.styled(f"{sign} {outcome}", style)


def share_sign(exact: int, finished: int) -> tuple[str, str]:
    """Sign and colour of a share of exact replies: all, none, or some."""
    if finished == 0:
        return "–", MUTED
    return SIGNS["exact"] if exact == finished else SIGNS["other"] if exact == 0 else _SOME


def _live_text(attempt: Attempt, subject: int) -> str:
    parts = attempt.live.get((subject, 0), [])
    return reply_text("".join(part.text for part in parts)) + CURSOR


def _finished(probe: TokenReplies) -> int:
    return sum(reply.finish != "cancelled" for reply in probe.replies)


def _logprob(reply: Reply) -> float:
    return float("-inf") if reply.token_logprob is None else reply.token_logprob
