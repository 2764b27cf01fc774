"""Speakability: which tokens can be the argmax of the logits, with proof; the proofs can be exported and checked."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.numbers import format_percent
from explorer.base.records.models import Ability
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityPart,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.tokens import TokenRow, bare_row
from explorer.specs.blocks import Block, Table, Words, count, number, prose, token_text
from explorer.specs.certificate_exports import (
    certificate_rows,
    check_requests,
    checked_row,
    export_certificates,
    read_file_to_check,
)
from explorer.specs.command_line import Asked, Verb, add_token_options
from explorer.specs.comparing.findings import compare_proved
from explorer.specs.comparing.proofs import find_failing_proofs
from explorer.specs.proof_words import check_words, lost_words, proof_words, share_words, some_of, tie_words
from explorer.specs.spec import Spec, Tab

# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe(request: ProveSpeakability) -> str:
    """'speakability of token 742 of mynah, ball, with bias, folded weights'."""
    named = request.token_ids
    which = "the whole vocabulary" if named is None else count(len(named), "token")
    which = f"the hard ones of {which}" if request.hard else which
    if named is not None and len(named) == 1:
        which = f"token {named[0]}"
    angle = ", with solid angles" if request.solid_angle else ""
    return f"speakability of {which} of {prose(request.model)}, {form_words(request)}{angle}"


def form_words(question: ProveSpeakability | SpeakabilityResult) -> str:
    """'ball, with bias, folded weights'."""
    bias, weights = "with bias" if question.bias else "without bias", "folded" if question.folded else "raw"
    return f"{question.mode.replace('_', ' ')}, {bias}, {weights} weights"


def summarise(outcome: SpeakabilityResult) -> str:
    """How many tokens there are of each verdict."""
    counts = f"speakable {outcome.speakable:,}, unspeakable {outcome.unspeakable:,}"
    return (
        f"{count(outcome.tokens, 'token')} of {prose(outcome.model)}: {counts},"
        f" undecided {outcome.undecided:,}; hard to speak {outcome.hard:,}{_beside(outcome)}"
    )


def _beside(outcome: SpeakabilityResult) -> str:
    """Where rows were counted: which token most of the hard ones lose to, and how many lose less the mean row."""
    own, centred = outcome.own_rows, outcome.centred_rows
    if own is None or centred is None or not own.winners:
        return ""
    share, name = format_percent(own.winners[0].beats / own.lost), token_text(own.winners[0].token)
    return f" ({share} lose to {name}; less the mean row {centred.lost:,} lose)"


def summarise_checked(outcome: CertificatesChecked) -> str:
    """How many proofs hold."""
    refused = len(outcome.refused)
    return f"{outcome.proved:,} proved, {outcome.undecided:,} undecided, {refused:,} refused"


def blocks(request: ProveSpeakability, outcome: SpeakabilityResult) -> Iterable[Block]:
    """The question, the counts, and the listed tokens with what proves their verdicts."""
    yield Words(f"{prose(outcome.model)}, {form_words(outcome)}: {prose(outcome.question)}")
    yield from (Words(prose(note), warns=True) for note in outcome.notes)
    if outcome.checked is not None:
        words = check_words(outcome.checked)
        yield from [Words(f"{words[:1].upper()}{words[1:]}.", warns=bool(outcome.checked.refused))] if words else []
    heads = ("speakable", "unspeakable", "undecided", "hard to speak", "tokens", "from disk")
    counts = (
        outcome.speakable, outcome.unspeakable, outcome.undecided, outcome.hard, outcome.tokens, outcome.reused,
    )  # fmt: skip
    yield Table(heads, (tuple(f"{number:,}" for number in counts),), right=frozenset(heads))
    yield from map(Words, lost_words(outcome))
    if outcome.rows:
        names = ("id", "token", "wins along its row", "verdict", "margin", "on the sphere", "proof", "log10 share")
        yield Table(names, tuple(map(_row, outcome.rows)), right=frozenset({"id", "margin", "log10 share"}))


def _row(row: SpeakabilityRow) -> tuple[str, ...]:
    on_sphere = {True: "yes", False: "not found", None: "–"}
    return (
        str(row.token.token_id),
        token_text(row.token),
        token_text(row.own_direction_winner),
        ", ".join(part for part in (row.verdict, tie_words(row)) if part),
        number(row.margin, 5),
        on_sphere[row.on_sphere],
        proof_words(row.certificate),
        share_words(row.solid_angle),
    )


def checked_blocks(request: CheckCertificates, outcome: CertificatesChecked) -> Iterable[Block]:
    """How many proofs hold, and what of them was not checked."""
    yield Words("; ".join([summarise_checked(outcome), *map(prose, outcome.notes)]))


# ── in the engine ─────────────────────────────────────────────────────────────────────────────────────────


def needs(request: Any) -> frozenset[Ability]:
    """All is proved from the weights; the vocabulary names tokens and tells which rows are padding."""
    return frozenset({"vocabulary", "weights"})


# ── in a session ──────────────────────────────────────────────────────────────────────────────────────────


def subject_of(request: ProveSpeakability, outcome: Any) -> TokenRow | None:
    """The token, where the question was about one alone."""
    if not isinstance(outcome, SpeakabilityResult) or request.token_ids is None or len(request.token_ids) != 1:
        return None
    return bare_row(outcome.rows[0].token) if len(outcome.rows) == 1 else None


def press(request: ProveSpeakability) -> tuple[str, ProveSpeakability]:
    """One press of a key asks in several modes, of which not every one has a bias or solid angles."""
    return request.mode, msgspec.structs.replace(request, mode="ball", bias=True, solid_angle=False)


def stands_beside(earlier: ProveSpeakability, outcome: Any, later: ProveSpeakability) -> bool:
    """Answers about one of the same tokens, in other modes, stay on the screen."""
    if not isinstance(outcome, SpeakabilityResult) or earlier.model != later.model:
        return False
    if earlier.token_ids is None or later.token_ids is None:
        return False
    return not set(earlier.token_ids).isdisjoint(later.token_ids)


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    add_token_options(which)
    which.add_argument("--all", action="store_true", help="every token but padding")
    which.add_argument("--hard", action="store_true",
                       help="tokens that another token beats along their own direction (default)")  # fmt: skip
    which.add_argument("--check", metavar="FILE", help="check the certificates of an exported file, and nothing else")
    parser.add_argument(
        "--mode", choices=("ball", "box", "cone", "own_direction"), default="ball",
        help="which x are admissible: what the final norm can deliver (default), |x_i| <= 1, any, the token's own row",
    )  # fmt: skip
    parser.add_argument("--bias", action=BooleanOptionalAction, help="with the biases (default, except in the cone)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--folded", dest="folded", action="store_true", default=True,
                      help="fold the final norm's scale into the weights (default)")  # fmt: skip
    form.add_argument("--raw", dest="folded", action="store_false", help="the weights as they are")
    parser.add_argument("--solid-angle", action="store_true",
                        help="also the share of directions in which a speakable token wins")  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="S", help="of the solid angle")
    parser.add_argument("--fresh", action="store_true", help="prove again the tokens whose proofs are on disk")
    parser.add_argument(
        "--export", metavar="FILE", help="write every token asked for, with its certificate, into this .jsonl file"
    )


def _before(given: Namespace, wrong: Callable[[str], Any]) -> None:
    """Read the file to be checked, whose model is loaded where none is named."""
    if given.check is None:
        if not given.sources:
            wrong("prove needs SOURCE, or --check FILE")
        if given.solid_angle and given.all:
            wrong("a solid angle takes seconds a token: ask for it by --token-id or --hard")
        if given.solid_angle and given.mode == "own_direction":
            wrong("there is no solid angle along one direction: choose --mode cone or ball")
        if given.export and Path(given.export).suffix.lower() != ".jsonl":
            wrong(f"certificates are written as JSON Lines: end the name of {Path(given.export).name} with .jsonl")
        return
    if given.export or len(given.sources) > 1:
        wrong("--check takes a file, at most one SOURCE, and no --export")
    read_file_to_check(given)


def _requests(asked: Asked) -> Iterable[ProveSpeakability | ReadCertificates | CheckCertificates]:
    given = asked.arguments
    if given.check is not None:
        yield from check_requests(given.checked, asked.models[0])
        return
    given.loaded = {model.name: model for model in asked.models}
    for place, model in enumerate(asked.models):
        token_ids = tuple(ids[place] for ids in asked.tokens)
        named = tuple(token_id for token_id in token_ids if token_id is not None)
        request = ProveSpeakability(
            model=model.name,
            mode=given.mode,
            token_ids=named or None,
            hard=not named and not given.all,
            bias=given.mode != "cone" if given.bias is None else given.bias,
            folded=given.folded,
            solid_angle=given.solid_angle,
            seed=asked.settings.seed if given.seed is None else given.seed,
            fresh=given.fresh,
        )
        yield request
        if given.json or given.export:
            yield ReadCertificates(of=request)


def _after(given: Namespace, request: Any, outcome: Any) -> None:
    """Write the file that `--export` names, one a model. Raises `ExplorerError` where a proof was refused."""
    if isinstance(outcome, CertificatesChecked) and outcome.refused:
        raise ExplorerError(f"{count(len(outcome.refused), 'certificate')} do not hold: {some_of(outcome.refused)}")
    if given.export and isinstance(outcome, Certificates):
        export_certificates(given, given.loaded[request.of.model], outcome)


SPEAKABILITY = Tab(
    name="speakability",
    title="Prove",
    pane="explorer.tui.panes.speakability.pane:SpeakabilityPane",
    help="Which tokens can be the argmax of the logits, with proof either way.",
    number=7,
    key="a",
    command="prove",
    command_title="prove",
    command_help="Prove whether the token can be the argmax of the logits.",
)

SPECS = (
    Spec(
        request=ProveSpeakability,
        outcome=SpeakabilityResult,
        parts=(SpeakabilityPart,),
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.speakability.answer:answer_prove",
        needs=needs,
        background=lambda request: request.token_ids is None,
        resumable=True,
        subject=subject_of,
        compare=compare_proved,
        look_closer=find_failing_proofs,
        verb=Verb(
            name="prove",
            help="prove which tokens can be the argmax of the logits; check exported proofs",
            aliases=("speakable",),
            sources="*",
            arguments=_arguments,
            requests=_requests,
            token="together",
            before=_before,
            examples=(
                ("zoo:mynah", "the tokens that are hard to speak, each proved speakable or unspeakable"),
                ("zoo:mynah --token-id 907,939 --mode cone", "two tokens, in any direction of the hidden state"),
                ("zoo:mynah --all --export proofs.jsonl", "every token, with certificates that anyone can check"),
                ("--check proofs.jsonl", "check such a file"),
            ),
            after=_after,
        ),
        tab=SPEAKABILITY,
        selects_model=True,
        press=press,
        stands_beside=stands_beside,
    ),
    Spec(
        request=ReadCertificates,
        outcome=Certificates,
        describe=lambda request: f"read the certificates of: {describe(request.of)}",
        summarise=lambda outcome: f"verdicts with certificates on {count(len(outcome.rows), 'token')}",
        answer="explorer.engine.answers.speakability.answer:answer_read_certificates",
        needs=needs,
        models=("of.model",),
        recorded=False,
        json_rows=certificate_rows,
        tab=SPEAKABILITY,
    ),
    Spec(
        request=CheckCertificates,
        outcome=CertificatesChecked,
        describe=lambda request: f"check {count(len(request.rows), 'certificate')} about {prose(request.model)}",
        summarise=summarise_checked,
        blocks=checked_blocks,
        answer="explorer.engine.answers.speakability.check:answer",
        needs=needs,
        recorded=False,
        json_rows=checked_row,
        tab=SPEAKABILITY,
    ),
)
