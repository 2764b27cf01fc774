"""What a child and what it is related to reply, sampled, grouped by first token and by meaning.

Measured: where a model answers in a word, groups by meaning are groups by first token (13 to 27 groups of 32 replies of
SmolLM2, 11 to 26 distinct beginnings), so meaning is asked of replies of a phrase or more alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Hashable, Sequence
from typing import Any

from explorer.base.records.lineage import FindLineage, LineagePair
from explorer.base.records.lineage_children import ReplyGroup, SampledReplies
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, Reply
from explorer.base.templates import Template
from explorer.engine.answers.lineage.asked import Answers
from explorer.engine.answers.lineage.rungs import Tested
from explorer.engine.answers.meaning import group_by_meaning, read_encoder
from explorer.engine.answers.repeat_back import repeat_back

TOKENS = 4
"""Tokens of a pair after which replies are sampled."""
GROUPS = 6
"""Groups that are told."""
PHRASE = 3
"""Words of a phrase: shorter replies are grouped by first token alone."""
_NO_ENCODER = "no embedding model was given (--encoder, or encoder in the settings)"
_WORDS = f"most replies are shorter than {PHRASE} words"


def sample_replies(
    related: Sequence[tuple[LineagePair, Tested]], request: FindLineage, cancelled: Callable[[], bool]
) -> Generator[Progress, None, tuple[SampledReplies, ...] | None]:
    """For the first tokens of each related pair, in the first prompt; None where the user stopped. Raises
    `ExplorerError` where the embedding model cannot be read."""
    if not request.samples:
        return ()
    encoder = read_encoder(request.encoder, local=True) if request.encoder else None
    template, found = request.templates[0], []
    for _, tested in related:
        matter = tested.pair.matter
        for base_token, child_token in list(zip(matter.candidate_tokens, matter.child_tokens, strict=True))[:TOKENS]:
            both = []
            for place, (model, token_id) in enumerate(
                ((tested.pair.child, child_token), (tested.pair.candidate, base_token))
            ):
                replies = yield from _ask(model, token_id, request, request.seed + place, cancelled)
                if replies is None:
                    return None
                both.append(replies)
            found.append(_group(tested, base_token, both, template, encoder))
    return tuple(found)


def _ask(
    model: Answers, token_id: int, request: FindLineage, seed: int, cancelled: Callable[[], bool]
) -> Generator[Progress, None, tuple[Reply, ...] | None]:
    """The replies of one model after one token, with draws of its own."""
    work = repeat_back(
        model.known.model,
        RepeatBack(
            model=model.known.name,
            token_id=token_id,
            template=request.templates[0],
            samples=request.samples,
            temperature=1.0,
            seed=seed,
            chat=model.chat,
        ),
        cancelled,
    )
    while True:
        try:
            part = next(work)
        except StopIteration as end:
            return end.value.probe.replies if isinstance(end.value, RepeatBackResult) else None
        if isinstance(part, Progress):
            yield part


def _group(
    tested: Tested, token_id: int, both: Sequence[Sequence[Reply]], template: Template, encoder: Any
) -> SampledReplies:
    models = (tested.pair.child, tested.pair.candidate)
    first = [
        [model.known.model.vocabulary.token_bytes(reply.reply_ids[0]) if reply.reply_ids else b"" for reply in replies]
        for model, replies in zip(models, both, strict=True)
    ]
    texts = [[_said(reply, template) for reply in replies] for replies in both]
    every = [text for said in texts for text in said]
    phrases = sum(len(text.split()) >= PHRASE for text in every)
    problem = _NO_ENCODER if encoder is None else _WORDS if 2 * phrases < len(every) else ""
    by_meaning: tuple[ReplyGroup, ...] = ()
    if not problem:
        keys = group_by_meaning(every, encoder)
        by_meaning = _largest([keys[: len(texts[0])], keys[len(texts[0]) :]], texts)
    return SampledReplies(
        child=models[0].known.name,
        base=models[1].known.name,
        template=template.name,
        token=models[1].known.model.vocabulary.ref(token_id),
        replies=len(both[0]),
        by_token=_largest(first, [[each.decode("utf-8", "replace") for each in said] for said in first]),
        by_meaning=by_meaning,
        said=f"not grouped by meaning: {problem}" if problem else "",
    )


def _said(reply: Reply, template: Template) -> str:
    """The reply up to where it closes."""
    return (reply.reply.split(template.closing)[0] if template.closing else reply.reply).strip()


def _largest(keys: Sequence[Sequence[Hashable]], names: Sequence[Sequence[str]]) -> tuple[ReplyGroup, ...]:
    """The groups with most replies of both, each named by its commonest text. `keys`, `names`: the child's, then the
    base's."""
    counts = [Counter(each) for each in keys]
    called: dict[Hashable, Counter[str]] = {}
    for some, texts in zip(keys, names, strict=True):
        for key, text in zip(some, texts, strict=True):
            called.setdefault(key, Counter())[text] += 1
    order = sorted(called, key=lambda key: -(counts[0][key] + counts[1][key]))
    return tuple(
        ReplyGroup(name=called[key].most_common(1)[0][0], child=counts[0][key], base=counts[1][key])
        for key in order[:GROUPS]
    )
