"""Speakability: which tokens can be the argmax of the logits, with proof; the proofs can be exported and checked."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from explorer.base.errors import ExplorerError
from explorer.base.records.models import Ability
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityPart,
    SpeakabilityResult,
)
from explorer.base.records.tokens import TokenRow, bare_row
from explorer.specs.blocks import count, prose
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
from explorer.specs.proof_words import some_of
from explorer.specs.speakability_blocks import blocks, checked_blocks, form_words, summarise, summarise_checked
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
