"""Checkpoints altered by type, loaded and asked a few things: each must work or be refused in one line, soon.

Each is loaded in a child process, so that a crash or a hang is seen and told and the attack goes on.
"""

from __future__ import annotations

import gc
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from explorer.base.errors import ExplorerError
from explorer.base.records.inspect import InspectToken
from explorer.base.records.lineage import FindLineage
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.maps import PLANES, PlacePoints, ReadMap, ViewMap
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.speakability import ProveSpeakability
from explorer.base.records.unions import AnyRequest
from explorer.base.records.vocabulary import ReadVocabulary
from explorer.base.templates import TEMPLATES

MOST_SECONDS = 10.0
"""For one request about a checkpoint of 100 kB."""
_STARTS = 120.0
"""Seconds that a child may take to import what it needs."""
_LONGEST_LINE = 800
_COLLECT_EVERY = 50


@dataclass(frozen=True)
class Found:
    """What came of one altered checkpoint."""

    how: str
    """How it was altered."""
    said: tuple[str, ...]
    """The refusals, each after what was asked."""
    wrong: tuple[str, ...] = ()
    """What got through."""


def load_requests(folder: Path) -> Iterator[LoadModel]:
    for prefix in ("", "weights:"):
        yield LoadModel(source=f"{prefix}{folder}", allow_pickle=True)


def requests_of(model: str, base: str, *, can_run: bool) -> Iterator[AnyRequest]:
    """A few things to ask of a loaded model, and of what it has of `base`, which is not altered."""
    yield ReadVocabulary(model=model)
    yield InspectToken(model=model, token_id=40)
    yield FindNeighbours(model=model, token_id=40, k=5)
    for plane in PLANES:
        yield ReadMap(model=model, plane=plane, token_id=40)
        yield PlacePoints(model=model, plane=plane, token_id=40, neighbours=3, centroid=True, twin_in=base)
    yield ReadMap(model=model, plane="input_norm", other=base)
    yield ViewMap(model=model, token_id=40, named=(41, 42), suspects=3, references=3)
    if not can_run:
        return
    for child, of in ((model, base), (base, model)):
        yield FindLineage(children=(child,), bases=(of,), templates=TEMPLATES[:1], indicator="input_norm", samples=2)
    yield RepeatBack(model=model, token_id=40, template=TEMPLATES[0], controls=1, max_new_tokens=4)
    yield ReadLogprobs(models=(model,), prompt="the mynah")
    yield ReadLogprobs(models=(model,), template=TEMPLATES[0], token_id=40)
    yield ProveSpeakability(model=model, token_ids=(40, 41), folded=False)


def attack_one(base: Path, work: Path, seed: int) -> Found:
    """Alter a copy of `base` at `work` and ask an engine about it, in this process."""
    from explorer.engine.handlers import Engine
    from tests.attack.hostile_checkpoints import alter

    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work)
    how = f"{base.name}, seed {seed}: " + "; ".join(alter(work, Random(seed)))
    said: list[str] = []
    wrong: list[str] = []
    engine = Engine()
    sound = _ask(engine, LoadModel(source=str(base), allow_pickle=True), [], wrong)
    for load in load_requests(work):
        name = _ask(engine, load, said, wrong)
        for request in requests_of(name, sound, can_run=not load.source.startswith("weights:")) if name else ():
            _ask(engine, request, said, wrong)
    return Found(how, tuple(said), tuple(wrong))


def _ask(engine: object, request: AnyRequest, said: list[str], wrong: list[str]) -> str:
    """Ask it as the engine's queue does; the model's name where one was loaded."""
    from explorer.engine.handlers import Engine
    from tests.engine_work import answer

    assert isinstance(engine, Engine)
    kind, began = type(request).__name__, time.monotonic()
    outcome: object = None
    try:
        outcome = answer(engine, request)
    except ExplorerError as error:
        said.append(f"{kind}: {error.line}")
        if "\n" in error.line or len(error.line) > _LONGEST_LINE or not error.line:
            wrong.append(f"{kind}: not one line: {error.line[:200]!r}")
    except BaseException as error:  # what is not expected, Rust's panics too
        if isinstance(error, KeyboardInterrupt):
            raise
        wrong.append(f"{kind}: {type(error).__name__}: {' '.join(str(error).split())[:300]} {_place(error)}")
    if (seconds := time.monotonic() - began) > MOST_SECONDS:
        wrong.append(f"{kind}: took {seconds:.1f} s")
    if isinstance(outcome, Failure):
        said.append(f"{kind}: {outcome.message}")
    return outcome.info.name if isinstance(outcome, ModelLoaded) else ""


def _place(error: BaseException) -> str:
    """The innermost line of ours that it passed."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/explorer/" in file:
            found = f"({file.rpartition('/explorer/')[2]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return found


# ── a child process that is replaced where it hangs ───────────────────────────────────────────────────────────


def _work(pipe: Connection) -> None:
    import resource

    import torch

    import explorer.engine.handlers  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    torch.set_num_threads(1)
    pipe.send("ready")
    while True:
        base, work, seed = pipe.recv()
        pipe.send(attack_one(Path(base), Path(work), seed))
        if seed % _COLLECT_EVERY == 0:
            gc.unfreeze()  # a load freezes all there is, so that later collections need not walk it
            gc.collect()


class Child:
    """A process that loads what it is told to, and is ended when it takes too long."""

    def __init__(self) -> None:
        self._pipe, theirs = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        assert self._pipe.poll(_STARTS), "the child does not start"
        self._pipe.recv()

    def attack(self, base: Path, work: Path, seed: int) -> Found | None:
        """None where it hung or died; it must then be replaced."""
        self._pipe.send((str(base), str(work), seed))
        try:
            found: Found | None = self._pipe.recv() if self._pipe.poll(8 * MOST_SECONDS) else None
        except EOFError:
            found = None
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def run(minutes: float, seed: int) -> int:
    """Alter, load and ask for so long; how many checkpoints got through."""
    from tests.attack.hostile_checkpoints import BASES

    print(f"altered checkpoints, {minutes:g} minutes from seed {seed}")
    until, tried, refused, bad = time.monotonic() + 60 * minutes, 0, 0, 0
    kinds: Counter[str] = Counter()
    child = Child()
    with tempfile.TemporaryDirectory() as place:
        bases = [Path(place) / name for name in BASES]
        for base, build in zip(bases, BASES.values(), strict=True):
            base.mkdir()
            build(base)
        while time.monotonic() < until:
            base = bases[seed % len(bases)]
            found = child.attack(base, Path(place) / "altered", seed)
            tried += 1
            if found is None:
                bad += 1
                print(f"HUNG OR DIED: {base.name}, seed {seed}", flush=True)
                child.end()
                child = Child()
            elif found.wrong:
                bad += 1
                print(f"{found.how}\n    " + "\n    ".join(found.wrong), flush=True)
            else:
                refused += bool(found.said)
            kinds.update(line.partition(":")[0] for line in (found.said if found else ()))
            seed += 1
    child.end()
    print(f"{tried:,} checkpoints: {refused:,} refused in one line, {bad:,} got through. Refusals: {dict(kinds)}")
    return bad


if __name__ == "__main__":
    sys.exit(run(2.0, 0) > 0)
