"""HTTP to a server: several requests in flight, tried again where that can help, given up at once when cancelled.

Nothing that a server sends is trusted: answers have a limit on their size and time, redirects are not followed, and
whatever of its words is shown goes through `ServerWords`, which takes the key out of them.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import random
import ssl
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx2

from explorer.base.servers import Server
from explorer.engine.models.errors import ModelError
from explorer.engine.models.remote.loop import Loop
from explorer.engine.models.remote.pace import Pace
from explorer.engine.models.remote.waiting import Waits, say_waiting
from explorer.engine.models.remote.words import ServerWords
from explorer.engine.models.spending import note_request

T = TypeVar("T")

CONNECT_SECONDS = 5.0
WHOLE_ANSWER = 5
"""How many times `Server.timeout` a whole answer may take, part after part."""
MOST_BYTES = 1 << 20
"""Of an answer, unless the query expects more."""
TRIES, TRIES_AMONG_OTHERS = 7, 2
"""Of a query that is answered by 5xx or a broken connection; among servers of one model the others do the work then."""
MOST_SILENT = 3
"""Of a query that is not answered in time; among servers of one model, once."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second try, doubled from try to try; and at most, whatever the server asks for."""
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_BROKEN = (b"EngineCore", b"EngineDead")
"""In the answers of a vLLM whose engine ended: it will not come back."""
_NO_QUOTA = b"insufficient_quota"
_TELLS_FROM = 2.0
"""Seconds of waiting from which on the user is told."""


@dataclass(frozen=True)
class Query:
    """One request."""

    path: str
    body: Any = None
    """Sent as JSON by POST; None: a GET."""
    most_bytes: int = MOST_BYTES
    tokens_in: int = 0
    """Of its prompts; counted each time it is sent."""
    tokens_out: int = 0
    """Of its replies, at most."""


class Refused(Exception):
    """The server answered with a status that says no to this query, whenever it is asked."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said
        """Its reason, fit to be shown."""


class NoAnswer(ModelError):
    """The server was asked as often as it makes sense, and did not answer: another one may."""


class Asks(Protocol):
    """What answers queries, so that backends need not know how."""

    async def ask(self, query: Query) -> bytes:
        """The answer's bytes. Raises `ModelError`, or `Refused` for a status that says no for good."""


class Client:
    """Asks one server. Its coroutines run on the thread that calls `run`, one call at a time."""

    def __init__(self, server: Server, loop: Loop | None = None) -> None:
        """`loop`: shared with the clients of other servers. Raises `ModelError` where the key's variable is not set."""
        self.server = server
        self.loop = loop or Loop()
        key = _read_key(server)
        self.words = ServerWords(key, server.key_env)
        self.was_interrupted = False
        """Whether a connection broke or was refused since this was last set to False: another model may serve now."""
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.is_alone = True
        """Whether no other server of the model can do its work."""
        self._waits = Waits(server)
        self.pace = Pace(server.at_once)
        self._http = httpx2.AsyncClient(
            base_url=server.url,
            headers=headers,
            follow_redirects=False,
            trust_env=not server.is_loopback,
            verify=_trusted(server),
            timeout=httpx2.Timeout(server.timeout, connect=CONNECT_SECONDS, pool=None),
            limits=httpx2.Limits(max_connections=server.at_once, keepalive_expiry=4.0),
        )
        self._not_before = 0.0
        """When the server wants to be asked again: no request is begun before."""

    def run(self, works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """See `Loop.run`; `works` may ask."""
        return self.loop.run(works)

    async def ask(self, query: Query) -> bytes:
        """See `Asks`."""
        wait, last, breaks, silent, tried = FIRST_WAIT, "", 0, 0, 0
        for tried in range(TRIES):
            if tried:
                await self._pause(wait * random.uniform(0.7, 1.0), last)
            wait = min(FIRST_WAIT * 2**tried, LONGEST_WAIT)
            try:
                async with self.pace.turn() as begun:
                    if (held := self._not_before - time.monotonic()) > 0:
                        await self._pause(held, "it asked to wait")
                    with self._waits.waiting():
                        async with asyncio.timeout(WHOLE_ANSWER * self.server.timeout):
                            status, headers, content = await self._once(query)
            except (httpx2.TransportError, TimeoutError) as error:
                self.was_interrupted = True
                last, breaks = self._how_it_failed(error), breaks + 1
                silent += _is_silence(error)
                if self._gives_up(breaks, silent):
                    break
                continue
            if status == 200:
                self.pace.note_answer()
                return content
            self._refuse_for_good(status, content)
            if status == 429:
                self.pace.lower(begun)
            last, asked = f"it answered {status}", _seconds_asked(headers)
            if asked is not None:
                wait = min(asked / 0.7, LONGEST_WAIT)
                self._not_before = max(self._not_before, time.monotonic() + min(asked, LONGEST_WAIT))
        patience = f" It is given {self.server.timeout:g} s: `timeout` in [[servers]]." * bool(silent)
        times = "once" if not tried else f"{tried + 1} times"
        raise NoAnswer(
            f"the server at {self.server.place} does not answer: {last}, {times}",
            hint=f"Look whether it runs; what was answered is kept.{patience}",
        )

    def _gives_up(self, breaks: int, silent: int) -> bool:
        """After so many broken connections and missing answers, the latter also counted alone."""
        if self.is_alone:
            return breaks >= TRIES or silent >= MOST_SILENT
        return breaks >= TRIES_AMONG_OTHERS or silent > 0

    def _how_it_failed(self, error: Exception) -> str:
        """In words of our own: a library's may hold a URL."""
        if isinstance(error, httpx2.ConnectTimeout | httpx2.ConnectError):
            return "no connection"
        return f"no answer in {self.server.timeout:g} s" if _is_silence(error) else "the connection broke"

    async def _once(self, query: Query) -> tuple[int, httpx2.Headers, bytes]:
        """One try: status, headers, and the whole of a content that is not too large."""
        method, content = ("GET", None) if query.body is None else ("POST", json.dumps(query.body).encode())
        request = self._http.build_request(
            method, self.server.url + query.path, content=content, headers={"Content-Type": "application/json"}
        )
        note_request(query.tokens_in, query.tokens_out)
        response = await self._http.send(request, stream=True)
        try:
            received = bytearray()
            async for part in response.aiter_raw():
                received += part
                if len(received) > query.most_bytes:
                    raise ModelError(
                        f"the server at {self.server.place} sends more than {query.most_bytes:,} bytes for one answer",
                        hint="Look what runs under this URL.",
                    )
        finally:
            await response.aclose()
        return response.status_code, response.headers, bytes(received)

    def _refuse_for_good(self, status: int, content: bytes) -> None:
        """Raise for every status after which it makes no sense to ask again."""
        place, said = self.server.place, self.words.of(content)
        if 300 <= status < 400:
            raise ModelError(f"the server at {place} sends elsewhere ({status})", hint="Give the URL that it names.")
        if status in (401, 403):
            whose = f"the key in {self.server.key_env}" if self.server.key_env else "requests without a key"
            raise ModelError(f"the server at {place} refuses {whose} ({status})", hint="Look at key_env.")
        if status in (400, 404, 405, 413, 422, 501):
            raise Refused(status, said)
        if any(mark in content for mark in _BROKEN):
            raise ModelError(f"the engine of the server at {place} ended: {said}", hint="Start the server again.")
        if status == 429 and _NO_QUOTA in content:
            raise ModelError(f"the server at {place} has no quota left for this key: {said}")
        if status not in _AGAIN:
            raise ModelError(f"the server at {place} answered {status}: {said}")

    async def _pause(self, seconds: float, why: str) -> None:
        """Wait before the next try, and say so where it takes long."""
        told = seconds >= _TELLS_FROM
        if told:
            say_waiting(f"waiting {seconds:.0f} s for {self.server.called}: {why}")
        await asyncio.sleep(seconds)
        if told:
            say_waiting("")

    def close(self) -> None:
        """Close all connections, and the loop."""
        self.loop.close(self.leave())

    async def leave(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _read_key(server: Server) -> str:
    if not server.key_env:
        return ""
    key = os.environ.get(server.key_env, "").strip()
    if not key:
        raise ModelError(f"{server.key_env} is not set where the engine runs", hint="Set it there, and start again.")
    if not key.isascii() or not key.isprintable():
        raise ModelError(f"{server.key_env} holds characters that no key has", hint="Set it again.")
    return key


def _trusted(server: Server) -> ssl.SSLContext | bool:
    """Whose certificates are believed; nobody's where no TLS is spoken, for to read the usual ones takes 40 ms."""
    if server.is_loopback and server.url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


def _is_silence(error: Exception) -> bool:
    """Whether it was asked, and nothing came in time."""
    return isinstance(error, httpx2.TimeoutException | TimeoutError) and not isinstance(error, httpx2.ConnectTimeout)


def _seconds_asked(headers: httpx2.Headers) -> float | None:
    """How long the server asks to wait: `Retry-After-Ms`, or `Retry-After` as seconds or a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        return seconds if 0 <= seconds < 1e9 else None
    try:
        when = email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return max(when - time.time(), 0.0)
