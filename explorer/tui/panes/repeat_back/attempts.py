"""The attempts that the Repeat-back pane knows of, and which of them are about the token on display. No widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, Reply, ReplyPart
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, Cancelled, Step
from explorer.base.text import decode

Key = tuple[str, int, str]
"""(model, token id, template name): the last attempt at each is kept."""
Subject = tuple[int, str]
"""(token id, token bytes): ids alone would confuse models with different tokenizers."""


@dataclass
class Attempt:
    """One model asked about one token: what is known of it so far."""

    request: RepeatBack
    token_bytes: str
    """Of the token asked about, hexadecimal."""
    outcome: AnyOutcome | None = None
    """None while it runs."""
    seconds: float = 0.0
    live: dict[tuple[int, int], list[ReplyPart]] = field(default_factory=dict)
    """(subject, sample) → tokens streamed so far."""

    @property
    def result(self) -> RepeatBackResult | None:
        """The replies gathered, whether all or until it was stopped."""
        found = self.outcome.partial if isinstance(self.outcome, Cancelled) else self.outcome
        return found if isinstance(found, RepeatBackResult) else None

    @property
    def samples(self) -> int:
        """Replies to expect about each token: greedy decoding gives one."""
        return self.request.samples if self.request.temperature > 0 else 1

    @property
    def token(self) -> TokenRef:
        """The token asked about."""
        text = decode(bytes.fromhex(self.token_bytes))
        return TokenRef(token_id=self.request.token_id, token_bytes=self.token_bytes, text=text)

    def add(self, part: ReplyPart) -> None:
        """Append a token to its reply."""
        self.live.setdefault((part.subject, part.sample), []).append(part)

    def replies(self) -> list[Reply]:
        """All replies told so far: about the token, then about its controls."""
        probes = (self.result.probe, *self.result.controls) if self.result else ()
        return [reply for probe in probes for reply in probe.replies]

    def live_controls(self) -> list[int]:
        """Control tokens met so far, in order of their first reply."""
        return [key for key in dict.fromkeys(subject for subject, _ in self.live) if key != self.request.token_id]


class Attempts:
    """The last attempt of each model at each token with each template, the latest last."""

    def __init__(self) -> None:
        self._known: dict[Key, Attempt] = {}
        self._subject: Subject | None = None

    def look_at(self, token: TokenRow) -> None:
        """Another token is on display."""
        self._subject = (token.token_id, token.token_bytes)

    def begin(self, request: RepeatBack, selected: TokenRow | None) -> None:
        """`request` was sent, while a token was selected."""
        self._keep(Attempt(request, _bytes_of(request, selected)))

    def take_part(self, request: RepeatBack, part: ReplyPart) -> bool:
        """A token of a reply came; whether anybody waits for it."""
        attempt = self._known.get(_key(request))
        if attempt is None or attempt.request != request:
            return False
        attempt.add(part)
        return True

    def finish(self, request: RepeatBack, step: Step, selected: TokenRow | None) -> None:
        """The outcome; one that nobody asked for here comes from a session file, and is brought to the front."""
        running = self._known.get(_key(request))
        if running is not None and running.outcome is not None:
            running = None
        if running is not None and running.request != request:
            return  # asked again with other options meanwhile: those rows are in use
        attempt = running or Attempt(request, _bytes_of(request, selected))
        attempt.outcome, attempt.seconds = step.outcome, step.seconds
        if attempt.result is not None:
            attempt.token_bytes = attempt.result.probe.token.token_bytes
        self._keep(attempt)
        if running is None:
            self._subject = (request.token_id, attempt.token_bytes)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._subject = None

    def shown(self, models: Sequence[str], template: str) -> list[Attempt]:
        """One attempt a model at the token on display, in the order of `models`: that with the `template` of that
        name, else the latest."""
        latest: dict[str, Attempt] = {}
        for attempt in self._known.values():
            before = latest.get(attempt.request.model)
            if self._is_shown(attempt) and not (before and before.request.template.name == template):
                latest[attempt.request.model] = attempt
        order = {name: place for place, name in enumerate(models)}
        return sorted(latest.values(), key=lambda attempt: order.get(attempt.request.model, len(order)))

    def _keep(self, attempt: Attempt) -> None:
        self._known.pop(_key(attempt.request), None)  # so that the latest stands last
        self._known[_key(attempt.request)] = attempt

    def _is_shown(self, attempt: Attempt) -> bool:
        """Whether `attempt` is about the token on display; bytes unknown (a failure read from a file) match by id."""
        if self._subject is None or attempt.request.token_id != self._subject[0]:
            return False
        return attempt.token_bytes == self._subject[1] or not attempt.token_bytes or not self._subject[1]


def _key(request: RepeatBack) -> Key:
    return request.model, request.token_id, request.template.name


def _bytes_of(request: RepeatBack, selected: TokenRow | None) -> str:
    return selected.token_bytes if selected is not None and selected.token_id == request.token_id else ""
