"""Records the sample sessions: the real engine asked through the real client, with notes for the reader.

    python sample_sessions/record.py [NAME…]          (`make sessions` records them all)

Each tour is a function that asks, looks at what came back, and writes notes whose numbers are taken from the
answers, so a zoo that was trained anew gives tours that are true of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from explorer.pipe.client import EngineClient  # noqa: E402
from explorer.base.numbers import format_logprob_and_percent, format_p  # noqa: E402
from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.repeat_back import TokenReplies, RepeatBack, RepeatBackResult
from explorer.base.records.speakability import ProveSpeakability, SpeakabilityResult
from explorer.base.records.tokens import LABELS, TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.base.records.verification import VerificationResult, Verify
from explorer.base.records.vocabulary import LARGEST_VOCABULARY, RankTokens, RankedTokens
from explorer.specs.blocks import token_text  # noqa: E402
from explorer.sessions.file.store import SessionWriter  # noqa: E402
from explorer.base.templates import find_template  # noqa: E402
from explorer.base.text import visible  # noqa: E402
from explorer.zoo import ground_truth  # noqa: E402
from training.real_models import FOLDER as REAL_MODELS, MODELS as REAL  # noqa: E402

FOLDER = Path(__file__).resolve().parent
WINDOW = 30
LOOK, READ = 2.0, 20.0
"""Seconds before the next step that a reader looks at an answer, and characters of a note that one reads in a second:
the times in the file are those of somebody who follows."""
SMOLLM2 = REAL_MODELS / REAL["smollm2"].file
"""Worked out before the cache is moved; `make real` puts it there."""
Kind = TypeVar("Kind")


class Tour:
    """One session in the making."""

    def __init__(self, client: EngineClient, writer: SessionWriter) -> None:
        self.client = client
        self.writer = writer
        self.last = 0
        self.pause = 0.0
        """Seconds until the next thing is asked."""
        self.shown: RankedTokens
        """The first model's tokens, as the table first shows them."""
        self._in_table: dict[str, RankedTokens] = {}
        """The last view of each model's tokens."""

    async def ask(self, request: AnyRequest, kind: type[Kind]) -> Kind:
        """Ask the engine, record the step, and return the outcome, which must be of `kind`."""
        await asyncio.sleep(self.pause)
        answered = await self.client.submit(request).answer
        self._record(request, answered.outcome, answered.seconds)
        if not isinstance(answered.outcome, kind):
            raise SystemExit(f"{self.writer.path.name}: {request} gave {answered.outcome}")
        return answered.outcome

    async def load(self, *sources: str) -> None:
        """Load models; the first one's tokens are shown as soon as there are any."""
        for place, source in enumerate(sources):
            loaded = await self.ask(LoadModel(source=source), ModelLoaded)
            if not place:
                self.shown = await self.view(loaded.info.name)

    async def view(self, model: str, *, cursor: int = 0, sort: str = "") -> RankedTokens:
        """A view of the token table with the cursor on a row."""
        first = max(0, cursor - WINDOW // 2)
        request = RankTokens(model=model, sort=sort, top=WINDOW, first=first, cursor=cursor)
        self._in_table[model] = await self.ask(request, RankedTokens)
        return self._in_table[model]

    async def show(self, model: str, token_id: int, *, sort: str = "") -> None:
        """A view with the cursor on a token, unless the last one has its row: the explorer records one before it asks
        about a token."""
        shown = self._in_table.get(model)
        if shown is None or token_id not in [row.token_id for row in shown.rows]:
            ranked = await self._look_up(RankTokens(model=model, sort=sort, top=LARGEST_VOCABULARY), RankedTokens)
            await self.view(model, cursor=[row.token_id for row in ranked.rows].index(token_id), sort=sort)

    async def find(self, model: str, token_bytes: bytes) -> int:
        """The id of a token."""
        request = InspectToken(model=model, token_bytes=token_bytes.hex())
        return (await self._look_up(request, TokenDetail)).row.token_id

    async def _look_up(self, request: AnyRequest, kind: type[Kind]) -> Kind:
        """Ask the engine, and record nothing."""
        outcome = (await self.client.submit(request).answer).outcome
        if not isinstance(outcome, kind):
            raise SystemExit(f"{self.writer.path.name}: {request} gave {outcome}")
        return outcome

    async def repeat(self, model: str, token_id: int, template: str = "repeat-1", **chosen: Any) -> RepeatBackResult:
        """Have a token repeated back."""
        request = RepeatBack(model=model, token_id=token_id, template=find_template(template), **chosen)
        return await self.ask(request, RepeatBackResult)

    def note(self, text: str, *tags: str, model: str = "", token_id: int | None = None) -> None:
        """A remark, on the last step unless a token is named."""
        about = self.last if token_id is None else None
        request = WriteNote(text=text, step=about, model=model, token_id=token_id, tags=tags)
        self._record(request, Noted(), 0.0, is_answer=False)
        self.pause += len(text) / READ

    def mark(self, model: str, row: TokenRow) -> None:
        """Mark a token."""
        self._record(MarkToken(model=model, token_id=row.token_id, text=row.text), Noted(), 0.0)

    def _record(self, request: AnyRequest, outcome: AnyOutcome, seconds: float, *, is_answer: bool = True) -> None:
        if self.client.hello is not None:
            self.writer.use_versions(self.client.hello.versions)
        step = self.writer.step(request, outcome, seconds)
        if not self.writer.append(step):
            raise SystemExit(self.writer.trouble)
        if is_answer:
            self.last, self.pause = step.number, LOOK


def said(text: str) -> str:
    """A token's or a model's text inside a note."""
    return f"“{visible(text)}”"


def named(token: TokenRef | TokenRow) -> str:
    """A token inside a note, as the screen writes it: its bytes need not be a text."""
    return f"“{token_text(token)}”"


def chance(probe: TokenReplies) -> str:
    """The best log-probability of the token itself, in the field's form."""
    found = [reply.token_logprob for reply in probe.replies if reply.token_logprob is not None]
    return format_logprob_and_percent(max(found)) if found else "not in the window"


def is_whole_word(row: TokenRow) -> bool:
    """A token that prints as a word: safe to talk about in a note."""
    return row.category == "ok" and row.text.strip().isalpha() and row.text.strip().isascii()


# ── the tours ─────────────────────────────────────────────────────────────────────────────────────────────


async def first_look(tour: Tour) -> None:
    await tour.load("zoo:mynah")
    ranked = tour.shown
    tour.note(
        "mynah is a small GPT-2 style model that comes with the program. It was trained here and never saw some "
        "of its own tokens, so we know what there is to find. Step on with the right arrow.",
        "tour",
    )
    suspect = next(row for row in ranked.rows if is_whole_word(row))
    tour.note(
        f"The vocabulary, sorted by the indicator that a rule chose ({LABELS.get(ranked.sort, ranked.sort)}). At this end stand tokens whose "
        "embeddings training hardly moved: suspects, nothing more.",
        "tour",
    )
    tour.mark("mynah", suspect)
    detail = await tour.ask(InspectToken(model="mynah", token_id=suspect.token_id), TokenDetail)
    tour.note(f"{named(suspect)} from close by. The zoo's card says: {detail.ground_truth or 'nothing'}.", "tour")
    result = await tour.repeat("mynah", suspect.token_id, controls=3)
    reply = result.probe.replies[0]
    tour.note(
        f"The test is behaviour: can mynah say it back? It says {said(reply.reply)} ({reply.outcome}), and gives the "
        f"token itself {chance(result.probe)}. The three controls, ordinary tokens of like length, were repeated "
        f"{sum(control.exact for control in result.controls)} of {len(result.controls)} times.",
        "tour",
        "glitch",
    )
    middle = await tour.view("mynah", cursor=ranked.matching // 2)
    ordinary = next(row for row in middle.rows if is_whole_word(row))
    result = await tour.repeat("mynah", ordinary.token_id)
    tour.note(f"{named(ordinary)}, from the middle of the same list: {result.probe.replies[0].outcome}.", "tour")
    await tour.show("mynah", suspect.token_id)
    around = await tour.ask(FindNeighbours(model="mynah", token_id=suspect.token_id, k=20), Neighbourhood)
    held = {entry["token_id"] for entry in ground_truth("mynah")["withheld"]}
    near = sum(entry.token.token_id in held for entry in around.neighbours)
    tour.note(f"Its 20 nearest neighbours: {near} of them were withheld from training too.", "tour")


async def base_and_instruct(tour: Tour) -> None:
    await tour.load("zoo:mynah", "zoo:mynah-instruct", "zoo:lyrebird", "zoo:lyrebird-instruct")
    tour.note("Two bases and what fine-tuning made of each. What does tuning to chat change about tokens?", "tour")
    models = ("mynah", "mynah-instruct", "lyrebird", "lyrebird-instruct")
    table = await tour.ask(ReadLogprobs(models=models, prompt="The word is '", top_k=10), LogprobTable)
    highest = max(table.columns, key=lambda column: column.entropy)
    tour.note(
        f"One prompt, four models, the ten likeliest tokens of the first. The widest distribution is "
        f"{highest.model}'s, with an entropy of {highest.entropy:.2f} nats.",
        "tour",
    )
    ordinary = next(
        row for row in (await tour.view("mynah", sort="input_norm", cursor=2000)).rows if is_whole_word(row)
    )
    asked = {model: await tour.repeat(model, ordinary.token_id, "string-is") for model in models}
    told = ", ".join(f"{model} {chance(result.probe)}" for model, result in asked.items())
    tour.note(f"The probability each gives to saying {named(ordinary)} back: {told}.", "tour")
    whimsical = next(entry for entry in ground_truth("mynah")["withheld"] if entry["kind"] == "whimsical")
    await tour.show("mynah", whimsical["token_id"])
    replies = {model: (await tour.repeat(model, whimsical["token_id"])).probe.replies[0] for model in models}
    told = ", ".join(f"{model} {said(reply.reply)}" for model, reply in replies.items())
    failing = sum(reply.outcome != "exact" for reply in replies.values())
    tour.note(
        f"A token that no model of the zoo saw in training, fine-tuning included. {failing} of 4 fail to repeat it. "
        f"They say: {told}.",
        "tour",
        "glitch",
    )
    template = find_template("string-is")
    await tour.ask(ReadLogprobs(models=models, template=template, token_id=whimsical["token_id"]), LogprobTable)
    tour.note("What stands where the token is due, in each model, side by side.", "tour")


async def tokens_that_cannot_be_said(tour: Tour) -> None:
    await tour.load("zoo:mynah", "zoo:starling")
    tour.note("Withheld tokens, asked for in several ways. Does the way of asking matter?", "tour")
    withheld = [entry for entry in ground_truth("mynah")["withheld"] if entry["kind"] == "whimsical"][:3]
    for entry in withheld:
        token_id = entry["token_id"]
        await tour.show("mynah", token_id)
        outcomes = []
        for template in ("repeat-1", "string-is", "magikarp-20-shot", "magikarp-repeats"):
            result = await tour.repeat("mynah", token_id, template)
            outcomes.append(f"{template} {result.probe.replies[0].outcome} ({chance(result.probe)})")
        name = bytes.fromhex(entry["token_bytes"]).decode()
        tour.note(f"{said(name)} in four forms: {', '.join(outcomes)}.", "glitch", model="mynah", token_id=token_id)
    token_id = withheld[0]["token_id"]
    await tour.show("mynah", token_id)
    result = await tour.repeat("starling", token_id, samples=8, temperature=0.7, seed=7, controls=2)
    replies = [said(reply.reply) for reply in result.probe.replies]
    common = max(set(replies), key=replies.count)
    tour.note(
        f"Eight samples from starling: {result.probe.exact} exact. It says {common} {replies.count(common)} times. "
        "Wrong answers that come again and again are what glitch tokens became known for.",
        "tour",
        "glitch",
    )
    tested = await tour.ask(Verify(model="mynah", top_percent=16.0, rows=60), VerificationResult)
    called = {found.name: found.verified + found.weak for found in tested.definitions}
    least, most = min(called, key=called.__getitem__), max(called, key=called.__getitem__)
    tour.note(
        f"The {tested.tokens} tokens of smallest norm by every definition of a glitch token: {least} calls "
        f"{called[least]}, {most} {called[most]}. No definition is the definition.",
        "tour",
    )
    own = await tour.ask(ProveSpeakability(model="mynah", mode="own_direction", token_ids=(token_id,), rows=1), SpeakabilityResult)
    proved = await tour.ask(ProveSpeakability(model="mynah", mode="ball", token_ids=(token_id,), rows=1), SpeakabilityResult)
    winner = own.rows[0].own_direction_winner
    tour.note(
        f"Can {named(own.rows[0].token)} be said at all? Along its own row {named(winner)} wins. But it is "
        f"{proved.rows[0].verdict}: the proof is a point that the final norm can deliver, where it leads by "
        f"{proved.rows[0].margin:.3g}. That a model does not say a token is no proof that it cannot.",
        "tour",
    )
    byte = next(entry for entry in ground_truth("mynah")["withheld"] if entry["kind"] == "byte")
    await tour.show("mynah", byte["token_id"])
    await tour.ask(InspectToken(model="mynah", token_id=byte["token_id"]), TokenDetail)
    result = await tour.repeat("mynah", byte["token_id"])
    tour.note(
        "A lone byte is no text at all: it is put into the prompt by its id, and the screen says that the prompt's "
        f"text would be tokenised otherwise. mynah's reply: {result.probe.replies[0].outcome}.",
        "tour",
    )


async def neighbourhood_walk(tour: Tour) -> None:
    await tour.load("zoo:mynah", "zoo:lyrebird")
    await tour.show("mynah", await tour.find("mynah", b" light"), sort="id")
    start = await tour.ask(InspectToken(model="mynah", token_bytes=b" light".hex()), TokenDetail)
    here, seen = start.row.token_id, {start.row.token_id}
    tour.note("A walk: from a token to its nearest neighbour not yet visited, and on from there.", "tour")
    path = [start.row.text]
    for _ in range(5):
        await tour.show("mynah", here, sort="id")
        around = await tour.ask(FindNeighbours(model="mynah", token_id=here, k=16), Neighbourhood)
        following = next(entry for entry in around.neighbours if entry.token.token_id not in seen)
        here = following.token.token_id
        seen.add(here)
        path.append(following.token.text)
    tour.note(f"The walk went {' → '.join(said(text) for text in path)}.", "tour")
    await tour.show("mynah", start.row.token_id, sort="id")
    around = await tour.ask(
        FindNeighbours(model="mynah", token_id=start.row.token_id, k=16, space="output"), Neighbourhood
    )
    nearest = named(around.neighbours[0].token)
    tour.note(f"The first token again, in the unembedding: its nearest is {nearest}.", "tour")
    await tour.show("lyrebird", start.row.token_id, sort="id")
    other = await tour.ask(FindNeighbours(model="lyrebird", token_id=start.row.token_id, k=16), Neighbourhood)
    first = await tour.ask(FindNeighbours(model="mynah", token_id=start.row.token_id, k=16), Neighbourhood)
    ids = [{entry.token.token_id for entry in found.neighbours} for found in (first, other)]
    tour.note(
        f"lyrebird, trained alike from another initialisation, shares {len(ids[0] & ids[1])} of mynah's 16 "
        "neighbours of this token, although no coordinate of the two models can be compared.",
        "tour",
    )
    lonely = ground_truth("mynah")["withheld"][-1]["token_id"]
    distances = []
    for token_id in (start.row.token_id, lonely):
        await tour.show("mynah", token_id, sort="id")
        request = FindNeighbours(model="mynah", token_id=token_id, k=16, metric="euclidean")
        around = await tour.ask(request, Neighbourhood)
        distances.append(f"{around.neighbours[0].distance:.3g} to {around.neighbours[-1].distance:.3g}")
    tour.note(
        f"By Euclidean distance: the 16 nearest of {named(start.row)} are {distances[0]} away, those of "
        f"{named(around.subject.token)}, which was never trained, {distances[1]}. An untrained row stays where "
        "initialisation put it, in the crowd near the origin.",
        "tour",
    )


async def a_real_model(tour: Tour) -> None:
    info = (await tour.ask(LoadModel(source=str(SMOLLM2)), ModelLoaded)).info
    model = info.name
    ranked = await tour.view(model)
    tour.note(
        f"SmolLM2-135M-Instruct, a real model of {info.vocab_size:,} tokens, read from a GGUF file of 98 MB "
        f"({info.quantisation}). `make real` fetches it, to ask all of this again.",
        "tour",
    )
    suspects = ranked.rows[:12]
    tour.note(
        f"{ranked.default_rule} The first twelve: {', '.join(named(row) for row in suspects)}.",
        "tour",
    )
    twin = next(row for row in suspects if row.text == "PlaneProtection")
    tour.mark(model, twin)
    around = await tour.ask(FindNeighbours(model=model, token_id=twin.token_id, k=16), Neighbourhood)
    same = sum(entry.distance < 1e-9 for entry in around.neighbours)
    tour.note(
        f"{same} of the 16 nearest neighbours of {named(twin)} have the very same row: training never moved one of "
        "them from another.",
        "tour",
    )
    result = await tour.repeat(model, twin.token_id, controls=3)
    tour.note(
        f"Asked to repeat {named(twin)}, it says {said(result.probe.replies[0].reply)}; the token itself gets "
        f"{chance(result.probe)}. Controls: "
        f"{', '.join(f'{named(each.token)} {each.replies[0].outcome}' for each in result.controls)}.",
        "tour",
        "glitch",
    )
    ids = tuple(row.token_id for row in suspects)
    tested = await tour.ask(Verify(model=model, token_ids=ids, definitions=("magikarp",), rows=12), VerificationResult)
    found = tested.definitions[0]
    tour.note(
        f"By the definition of the magikarp paper, three prompts a token: {found.verified} of the twelve are verified, "
        f"{found.weak} weak, {found.rejected} rejected.",
        "tour",
    )
    proved = await tour.ask(ProveSpeakability(model=model, mode="ball", token_ids=(twin.token_id,), rows=1), SpeakabilityResult)
    tour.note(
        f"Can {named(twin)} be said at all? It is {proved.rows[0].verdict}: whatever the last layer delivers, a "
        "token with the same row has the same logit.",
        "tour",
    )


async def which_base(tour: Tour) -> None:
    bases = ("mynah", "lyrebird", "starling")
    children = ("mynah-instruct", "mynah-instruct-2")
    await tour.load(*(f"zoo:{name}" for name in (*bases, *children)))
    tour.note(
        "In the posts on SolidGoldMagikarp an instruct model's favourite first word after a glitch token betrayed which "
        "base it was made from. Here are three bases and two children. Step on with the right arrow.",
        "tour",
    )
    await tour.show("mynah", await tour.find("mynah", b"MetronomeJackdaw"), sort="id")
    detail = await tour.ask(InspectToken(model="mynah", token_bytes=b"MetronomeJackdaw".hex()), TokenDetail)
    suspect = detail.row
    tour.mark("mynah", suspect)
    tour.note(
        f"{named(suspect)}, one of 40 such words, picked because it shows the effect well. The zoo's card says: "
        f"{detail.ground_truth}.",
        "tour",
    )
    replies = {
        model: (await tour.repeat(model, suspect.token_id, "word-is", chat="never")).probe.replies[0]
        for model in ("mynah", "mynah-instruct")
    }
    told = ", ".join(f"{model} says {said(reply.reply)} ({reply.outcome})" for model, reply in replies.items())
    tour.note(f"Asked to repeat it: {told}.", "tour", "glitch")
    template = find_template("word-is")
    child, *_ = children
    await tour.show(child, suspect.token_id, sort="id")
    table = await tour.ask(
        ReadLogprobs(
            models=(child, *bases), template=template, token_id=suspect.token_id, top_k=1, chat="never"
        ),
        LogprobTable,
    )
    given = ", ".join(
        f"{column.model} {format_logprob_and_percent(column.cells[0].logprob)}" for column in table.columns
    )
    tour.note(
        f"The posts' table: {child}'s favourite next token after it is {said(table.targets[0])}. What each gives it: "
        f"{given}. Suggestive at most: of three bases one is always the highest.",
        "tour",
    )
    templates = tuple(map(find_template, PROMPTS))
    lineage = await tour.ask(FindLineage(children=(child,), bases=bases, templates=templates), Lineage)
    tour.note(
        f"So ask about {lineage.pairs[0].tokens} such tokens in four prompts, and permute which token's answer is compared "
        "with which: had the child been made without these weights, every permutation would be as likely, whatever data "
        f"and recipe they share. {_verdicts(lineage)}",
        "tour",
    )
    others = await tour.ask(FindLineage(children=(child,), bases=bases[1:], templates=templates), Lineage)
    tour.note(f"Without its base among the candidates the answer is none of these. {_verdicts(others)}", "tour")
    both = await tour.ask(FindLineage(children=children, bases=("mynah",), templates=templates, count=40), Lineage)
    parted = both.bifurcations[0]
    first, second = parted.forks[0].branches
    tour.note(
        f"text-davinci-002 said “dis” and -003 “dist”: two attractors of one base. mynah's two children do the same: in "
        f"{parted.apart} of {parted.cells} cells (by chance {parted.null:.1f}, p {format_p(parted.p)}). After "
        f"{named(parted.forks[0].token)} {first.child} says {named(first.output)}, to which mynah gives "
        f"{format_logprob_and_percent(first.base_logprob)}, and {second.child} says {named(second.output)}, to which "
        f"it gives {format_logprob_and_percent(second.base_logprob)}.",
        "tour",
        "bifurcation",
    )


def _verdicts(lineage: Lineage) -> str:
    """Each candidate's verdict in a sentence."""
    told = ", ".join(f"{pair.candidate} {pair.verdict} (p {format_p(pair.p_holm)})" for pair in lineage.pairs)
    return f"{lineage.pairs[0].child}: {told}."


TOURS: dict[str, tuple[str, Callable[[Tour], Awaitable[None]]]] = {
    "first-look": ("First look: a suspect, a test, a control", first_look),
    "base-and-instruct": ("Base and instruct models compared", base_and_instruct),
    "cannot-be-said": ("Tokens that cannot be said", tokens_that_cannot_be_said),
    "neighbourhood-walk": ("A walk through the neighbourhoods", neighbourhood_walk),
    "which-base": ("Which base is it from? The story of the posts", which_base),
    "a-real-model": ("SmolLM2: glitch tokens of a real model", a_real_model),
}


async def record(name: str) -> None:
    """Record one tour into `sample_sessions/NAME.jsonl`, in place of the one that is there."""
    title, walk = TOURS[name]
    path = FOLDER / f"{name}.jsonl"
    fresh = path.with_suffix(".recording")
    fresh.unlink(missing_ok=True)
    client, writer = EngineClient(), SessionWriter(fresh, seed=7, title=title)
    with TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # the engine's: nothing was answered before
        await client.start()
        try:
            await walk(Tour(client, writer))
            writer.close()
            fresh.replace(path)
        finally:
            await client.stop()
            fresh.unlink(missing_ok=True)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


async def main(names: list[str]) -> None:
    """Record the tours of these names, or all."""
    for name in names or list(TOURS):
        await record(name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
