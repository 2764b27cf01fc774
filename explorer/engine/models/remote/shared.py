"""Several servers of one model share the prompts of a sweep; what one of them leaves undone the others do.

A server takes part as long as its answers are those of the model that was loaded (its fingerprint), and leaves when it
does not answer, or wrongly. A batch that is refused as such is asked in halves, until the prompt is found that the
server does not take.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from explorer.base.records.record import Progress
from explorer.engine.control import control_at_work
from explorer.engine.models.abilities import Scored, Unasked
from explorer.engine.models.errors import ModelError
from explorer.engine.models.remote.backend import Backend
from explorer.engine.models.remote.client import Client, Refused
from explorer.engine.models.remote.fingerprint import Fingerprint
from explorer.engine.models.remote.loop import together

REJOIN_SECONDS = 30.0
"""After which a server that left is asked whether it is back."""
REJOIN_WITHIN = 5.0
"""Seconds that it has for that: what the others do meanwhile waits for it."""
MOST_REFUSED = 16
"""Prompts refused with none answered between them: the server refuses everything, so it is no use to go on."""
_OF_THE_PROMPT = (400, 413, 422)
"""Statuses that may be about one prompt of a batch."""


@dataclass
class Peer:
    """One server of the model."""

    client: Client
    backend: Backend
    left: str = ""
    """Why it takes no part; empty while it does."""
    left_at: float = 0.0
    checking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def place(self) -> str:
        return self.client.server.place

    def why(self, error: ModelError) -> str:
        """Why it takes no part, as it may be shown."""
        return self.client.words.clean(error.message).replace(f"the server at {self.place} ", "")

    async def check(self, fingerprint: Fingerprint) -> None:
        """Raise `ModelError` where it is not there, or answers as another model."""
        self.client.was_interrupted = False
        try:
            now = await fingerprint.again(self.backend)
        except Refused as refused:
            raise refusal(self.client, refused) from None
        if changed := fingerprint.difference(now):
            raise ModelError(
                f"the server at {self.place} answers as another model than the one loaded: {changed}",
                hint="Load it again; answers of the two are kept apart.",
            )

    async def check_if_interrupted(self, fingerprint: Fingerprint) -> None:
        """After a broken connection another model may answer."""
        async with self.checking:
            if self.client.was_interrupted:
                await self.check(fingerprint)


@dataclass
class Prompts:
    """Prompts on their way."""

    ids: Sequence[Sequence[int]]
    targets: Sequence[int]
    places: int
    waiting: deque[range]
    """Parts that no server works on."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where an answer came."""
    _answers: list[tuple[int, Scored | Unasked]] = field(default_factory=list)

    @classmethod
    def of(cls, ids: Sequence[Sequence[int]], targets: Sequence[int], places: int, size: int) -> Prompts:
        """`size`: of a part."""
        starts = range(0, len(ids), size)
        return cls(ids, targets, places, deque(range(at, min(at + size, len(ids))) for at in starts))

    async def score(self, part: range, backend: Backend) -> Sequence[Scored | Unasked]:
        """Ask a part."""
        return await backend.score([self.ids[at] for at in part], [self.targets[at] for at in part], self.places)

    def halve(self, part: range) -> None:
        """Ask a part in two."""
        middle = len(part) // 2
        self.waiting.extendleft((part[middle:], part[:middle]))

    def put(self, part: range, told: Sequence[Scored | Unasked]) -> None:
        """Take answers in."""
        self._answers += zip(part, told, strict=True)
        self.news.set()

    def take(self) -> list[tuple[int, Scored | Unasked]]:
        """The answers that were not taken yet."""
        taken, self._answers = self._answers, []
        return taken


class Servers:
    """The servers of one model; the first is the one it was loaded from."""

    def __init__(self, peers: Sequence[Peer], fingerprint: Fingerprint) -> None:
        self._peers = tuple(peers)
        self._fingerprint = fingerprint
        self._refused = 0
        """Prompts refused since the last answer."""

    @property
    def first(self) -> Peer:
        """The one that is asked what is not shared."""
        return next((peer for peer in self._peers if not peer.left), self._peers[0])

    @property
    def working(self) -> list[Peer]:
        """Those that take part."""
        return [peer for peer in self._peers if not peer.left]

    @property
    def left_out(self) -> tuple[str, ...]:
        """See `BehindServer`."""
        return tuple(f"{peer.place} takes no part: {peer.left}" for peer in self._peers if peer.left)

    @property
    def how(self) -> str:
        """See `BehindServer`."""
        slower = [peer for peer in self.working if peer.client.pace.now < peer.client.pace.most]
        count = f"{len(self.working)} of {len(self._peers)} servers" * (len(self._peers) > 1)
        paces = [f"{peer.place} takes {peer.client.pace.now} at once" for peer in slower]
        return "; ".join(filter(None, (count, *self.left_out, *paces)))

    async def score(self, prompts: Prompts) -> None:
        """Ask all prompts. Raises `ModelError` where no server is left; what was answered can be taken all the same."""
        now = time.monotonic()
        back = [self._join_again(peer) for peer in self._peers if peer.left and now - peer.left_at >= REJOIN_SECONDS]
        while prompts.waiting:
            works = [self._work(peer, prompts) for peer in self.working for _ in range(peer.client.pace.most)]
            await together([*works, *back])
            back = []

    async def _join_again(self, peer: Peer) -> None:
        """Let a server that left take part in what is asked next, where it answers again."""
        peer.left_at = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(REJOIN_WITHIN):
                if await self._try(peer) is None:
                    peer.left = ""
                    self._be_patient()
                    tell(f"{peer.place} takes part again")

    async def _work(self, peer: Peer, prompts: Prompts) -> None:
        """Ask part after part of one server, as long as it takes part."""
        while prompts.waiting and not peer.left:
            part = prompts.waiting.popleft()
            try:
                told = await prompts.score(part, peer.backend)
                await peer.check_if_interrupted(self._fingerprint)
            except Refused as refused:
                self._split(peer, prompts, part, refused)
            except ModelError as error:
                prompts.waiting.appendleft(part)
                self.let_go(peer, error)
            else:
                self._refused = 0
                prompts.put(part, told)

    def _split(self, peer: Peer, prompts: Prompts, part: range, refused: Refused) -> None:
        """Find the prompt that is refused; raises `ModelError` where all are."""
        if refused.status not in _OF_THE_PROMPT:
            prompts.waiting.appendleft(part)
            self.let_go(peer, refusal(peer.client, refused))
        elif len(part) > 1:
            prompts.halve(part)
        else:
            self._refused += 1
            if self._refused > MOST_REFUSED:
                raise refusal(peer.client, refused)
            prompts.put(part, [Unasked(f"{refused.status}: {refused.said}")])

    def let_go(self, peer: Peer, error: ModelError) -> None:
        """Go on without a server; raises `error` where it is the last."""
        if peer.left:  # another of its requests failed before
            return
        if len(self.working) == 1:
            raise error
        peer.left, peer.left_at = peer.why(error), time.monotonic()
        self._be_patient()
        tell(f"{peer.place} takes no part any more: {peer.left}; the others do its work")

    def _be_patient(self) -> None:
        """The last server is given time to come back, one among others is not."""
        working = self.working
        for peer in self._peers:
            peer.client.is_alone = len(working) == 1

    async def check_all(self) -> None:
        """Find which servers take part. Raises `ModelError` as `Peer.check` where none does."""
        for peer in self._peers:
            peer.client.is_alone = len(self._peers) == 1
        found = await together(map(self._try, self._peers))
        if all(found):
            raise next(error for error in found if error is not None)
        for peer, error in zip(self._peers, found, strict=True):
            peer.left = "" if error is None else peer.why(error)
        self._be_patient()

    async def _try(self, peer: Peer) -> ModelError | None:
        try:
            await peer.check(self._fingerprint)
        except ModelError as error:
            return error
        return None

    async def check_interrupted(self) -> None:
        """Raise `ModelError` where the first server's connection broke and another model answers now."""
        await self.first.check_if_interrupted(self._fingerprint)

    async def leave(self) -> None:
        """Close all connections."""
        for peer in self._peers:
            await peer.client.leave()


def refusal(client: Client, refused: Refused) -> ModelError:
    """What the server refused, in its own words."""
    return ModelError(
        f"the server at {client.server.place} refuses this ({refused.status}): {refused.said}",
        hint="Take a shorter prompt, or look at the server's log.",
    )


def tell(what: str) -> None:
    """One line for the user, if somebody works for one."""
    if (control := control_at_work()) is not None:
        control.tell(Progress(done=0, total=0, what=what))
