"""Tests every child against every candidate base, and words the verdicts.

The exact test, the self-spelling gate and their measurements: see the functions of `rungs`. "Related" is no direction
and no fatherhood: a child can be nearer to a sister than to its base.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from explorer.base.records.lineage import MOST, BaseLogprob, Favourite, FindLineage, Lineage, LineagePart
from explorer.base.records.record import Progress
from explorer.base.records.unions import Cancelled
from explorer.base.templates import Template
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.lineage.asked import (
    Answers,
    Known,
    Matter,
    ask_all,
    choose_matter,
    know,
    other_spelling,
)
from explorer.engine.answers.lineage.children import plan_children
from explorer.engine.answers.lineage.provenance import choose_ordinary
from explorer.engine.answers.lineage.published import judge_published
from explorer.engine.answers.lineage.rungs import Pair, Tested, closer, try_rungs
from explorer.engine.answers.lineage.sampled import sample_replies
from explorer.engine.answers.lineage.states import Looked, state_rungs
from explorer.engine.answers.lineage.tree import plan_tree
from explorer.engine.answers.lineage.verdict import judge
from explorer.engine.answers.lineage.weights import weight_rungs
from explorer.engine.answers.meaning import read_encoder
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.behaviour.prompts import check_token_id
from explorer.engine.control import Control
from explorer.engine.models.abilities import running
from explorer.engine.queue import Work, until_cancelled


def answer(engine: Holdings, request: FindLineage, control: Control) -> Work:
    """The lineage of the children. Raises `BehaviourError` where the request makes no sense, `ModelError` as models
    do, `ExplorerError` where the embedding model cannot be read."""
    if request.published:
        return judge_published(request.published)
    _check_request(request)
    kept: list[Lineage] = []
    outcome = yield from until_cancelled(_find(engine, request, control, kept), control)
    return Cancelled(partial=kept[-1]) if isinstance(outcome, Cancelled) and kept else outcome


def _find(engine: Holdings, request: FindLineage, control: Control, kept: list[Lineage]) -> Work:
    """The lineage; what there is of it is added to `kept` again and again."""
    answers = yield from _get_ready(engine, request)
    named = _named(answers[request.bases[0]].known, request)
    tested: dict[tuple[str, str], Tested] = {}
    found = LineagePart(pairs=(), favourites=())
    looked = Looked()
    for child in request.children:
        for part in _test_child(child, request, answers, named, tested, looked):
            if isinstance(part, LineagePart):
                found = LineagePart(pairs=found.pairs + part.pairs, favourites=found.favourites + part.favourites)
                kept.append(Lineage(pairs=found.pairs, favourites=found.favourites))
            yield part
    result = _result(found, tested, request, answers)
    kept.append(result)
    plan, tree = plan_children(result, tested, request), plan_tree(answers, request, named)
    yield from ask_all([*plan.wanted(), *tree.wanted()], request.templates)
    result = tree.finish(plan.finish(result, request), request)
    kept.append(result)
    related = [(pair, tested[pair.child, pair.candidate]) for pair in result.pairs if pair.verdict == "related"]
    sampled = yield from sample_replies(related, request, control.cancelled)
    return Cancelled(partial=result) if sampled is None else msgspec.structs.replace(result, samples=sampled)


def _test_child(
    child: str,
    request: FindLineage,
    answers: dict[str, Answers],
    named: Sequence[bytes],
    tested: dict[tuple[str, str], Tested],
    looked: Looked,
) -> Generator[Progress | LineagePart, None, None]:
    """Ask and test one child against every base, adding to `tested`; all that was found of it comes last."""
    matters = {base: choose_matter(answers[base].known, answers[child].known, request, named) for base in request.bases}
    ordinary = choose_ordinary(child, request, answers, matters)
    yield from ask_all([*_wanted(child, request, answers, matters), *ordinary.wanted()], request.templates)
    agreed = ordinary.compare(request)
    for base, matter in matters.items():
        pair = Pair(answers[base], answers[child], matter, _references(request, base, answers))
        of_answers = try_rungs(pair, request)
        of_weights = yield from weight_rungs(pair, request)
        of_states = yield from state_rungs(pair, request, looked)
        tested[child, base] = replace(of_answers, rungs=(*of_answers.rungs, *of_weights, *of_states, agreed[base]))
    yield LineagePart(
        pairs=tuple(judge([tested[child, base] for base in request.bases], request)),
        favourites=tuple(_favourites(child, request, answers, matters)),
    )


def _get_ready(engine: Holdings, request: FindLineage) -> Generator[Progress, None, dict[str, Answers]]:
    """Each model with what is known of its tokens, and what it said before."""
    names = dict.fromkeys((*request.children, *request.bases, *request.references))
    models = {name: running(engine.models.get(name)) for name in names}
    engine.said.make_room(models.values())
    answers: dict[str, Answers] = {}
    for name, model in models.items():
        known = know(name, model, (yield from engine.vocabularies.read(model, None)), request.indicator)
        chat = request.chat if name in request.children else "never"
        answers[name] = Answers(known, chat, engine.said.of(model, chat))
    return answers


def _result(
    found: LineagePart,
    tested: dict[tuple[str, str], Tested],
    request: FindLineage,
    answers: dict[str, Answers],
) -> Lineage:
    return Lineage(
        pairs=found.pairs,
        favourites=found.favourites,
        closest=tuple(closer(found.pairs, tested, request)),
        notes=tuple(_notes(request, found.favourites, answers)),
    )


def _check_request(request: FindLineage) -> None:
    if not request.children or not request.bases:
        raise BehaviourError("a child and a base are needed", "Name one child and one base at least.")
    if both := set(request.bases) & {*request.children, *request.references}:
        raise BehaviourError(f"{min(both)} is named as a base and as something else", "Name each model once.")
    if set(request.children) & set(request.references):
        raise BehaviourError("a child cannot be a reference", "References are strangers of the bases.")
    if not request.templates:
        raise BehaviourError("no prompt was chosen", "Choose one or more.")
    if not 2 <= max(request.count, len(request.token_ids)) <= MOST:
        raise BehaviourError("tokens to ask about: 2 to 200", "20 tokens with 4 prompts settle most questions.")
    if request.samples and request.encoder:
        read_encoder(request.encoder, local=True)  # kept; what cannot be read is said before anything is asked


def _named(base: Known, request: FindLineage) -> list[bytes]:
    for token_id in request.token_ids:
        check_token_id(base.model.vocabulary, token_id)
    return [base.model.vocabulary.token_bytes(token_id) for token_id in request.token_ids]


def _references(request: FindLineage, base: str, answers: dict[str, Answers]) -> list[Answers]:
    return [answers[name] for name in request.references if name != base]


def _wanted(
    child: str, request: FindLineage, answers: dict[str, Answers], matters: dict[str, Matter]
) -> list[tuple[Answers, Sequence[tuple[int, ...]]]]:
    """What each model is asked about: its tokens of every pair, and of candidates also how else they are written."""
    slots: dict[str, dict[tuple[int, ...], None]] = {name: {} for name in answers}
    for base, matter in matters.items():
        slots[child] |= dict.fromkeys((token_id,) for token_id in matter.child_tokens)
        slots[base] |= dict.fromkeys((token_id,) for token_id in matter.candidate_tokens)
        spelled = (other_spelling(answers[base].known, token_id) for token_id in matter.candidate_tokens)
        slots[base] |= dict.fromkeys(ids for ids in spelled if ids)
        for name in request.references:
            found = (answers[name].known.find(token) for token in matter.tokens)
            slots[name] |= dict.fromkeys((token_id,) for token_id in found if token_id is not None)
    return [(answers[name], list(wanted)) for name, wanted in slots.items() if wanted]


def _favourites(
    child: str, request: FindLineage, answers: dict[str, Answers], matters: dict[str, Matter]
) -> list[Favourite]:
    """The child's likeliest output after each token, in the post's form, and what each base says of it."""
    matter = matters[request.bases[0]]
    asked, vocabulary = answers[child], answers[child].known.model.vocabulary
    found: list[Favourite] = []
    for template in request.templates if matter.tokens else ():
        own = asked.rows(template, [(each,) for each in matter.child_tokens], np.arange(vocabulary.size))
        for token_id, row in zip(matter.child_tokens, own, strict=True):
            output = int(row.argmax())
            said = [
                _said_by(answers[base], template, matters[base], vocabulary.token_bytes(output), token_id)
                for base in request.bases
            ]
            found.append(
                Favourite(
                    child=child,
                    template=template.name,
                    token=vocabulary.ref(token_id),
                    output=vocabulary.ref(output),
                    logprob=float(row[output]),
                    bases=tuple(said),
                )
            )
    return found


def _said_by(base: Answers, template: Template, matter: Matter, output: bytes, child_token: int) -> BaseLogprob:
    """The base's log-probability of an output after a token, and how far that lies above its mean after the others."""
    name, found = base.known.name, base.known.find(output)
    if found is None or child_token not in matter.child_tokens:
        return BaseLogprob(base=name, logprob=None, lift=None)
    place = matter.child_tokens.index(child_token)
    column = base.rows(template, [(each,) for each in matter.candidate_tokens], np.array([found]))[:, 0]
    others = np.delete(column.astype(np.float64), place)
    own = float(column[place])
    if not np.isfinite(own):
        return BaseLogprob(base=name, logprob=None, lift=None)
    lift = float(own - others.mean()) if len(others) and np.isfinite(others).all() else None
    return BaseLogprob(base=name, logprob=own, lift=lift)


def _notes(request: FindLineage, favourites: Sequence[Favourite], answers: dict[str, Answers]) -> list[str]:
    notes = []
    for child in request.children:
        for template in request.templates:
            outputs = {each.output for each in favourites if (each.child, each.template) == (child, template.name)}
            if len(outputs) == 1:
                notes.append(f"{child}, {template.name}: 1 distinct favourite: this prompt tells nothing")
    bounded = [name for name, each in answers.items() if each.bounded]
    if bounded:
        notes.append(f"{', '.join(bounded)}: only the likeliest tokens are told; top-20 leads")
    formats = {name: each.known.model.info.has_chat_template and each.chat == "auto" for name, each in answers.items()}
    if len(set(formats.values())) > 1:
        chats = ", ".join(name for name, chat in formats.items() if chat)
        notes.append(f"asked in their chat format: {chats}; the others in raw text")
    return notes
