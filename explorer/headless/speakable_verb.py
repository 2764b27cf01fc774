"""`speakable`: which tokens a model can say at all, with certificates; `speakable --check FILE` checks an export."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from explorer.base.errors import ExplorerError
from explorer.base.records.models import ModelInfo
from explorer.base.records.plain import to_plain
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityCertificate,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.unions import AnyRequest
from explorer.base.text import visible
from explorer.headless.tables import _number, _table, _token
from explorer.headless.verb import Asked, Row, Verb
from explorer.tables.certificate_file import (
    CertificateFile,
    FileHeader,
    read_certificate_file,
    write_certificate_file,
)

CHECKED_AT_ONCE = 4096
"""Rows of a file that are sent to the engine together."""
Found = SpeakabilityResult | Certificates | CertificatesChecked


def _arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--token-id", type=int, metavar="N", help="the token, by its id (in the first model)")
    which.add_argument("--token", metavar="TEXT", help="the token, by its exact text, leading space included")
    which.add_argument("--all", action="store_true", help="every token but padding")
    which.add_argument("--hard", action="store_true",
                       help="the tokens that another one beats along their own direction (default)")  # fmt: skip
    which.add_argument("--check", metavar="FILE", help="check the certificates of an exported file, and nothing else")
    parser.add_argument(
        "--mode", choices=("ball", "box", "cone", "own_direction"), default="ball",
        help="which x count: what the final norm can deliver (default), |x_i| <= 1, any, the token's own row",
    )  # fmt: skip
    parser.add_argument("--bias", action=BooleanOptionalAction, help="with the biases (default, but in the cone)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--folded", dest="folded", action="store_true", default=True,
                      help="fold the final norm's scale into the weights (default)")  # fmt: skip
    form.add_argument("--raw", dest="folded", action="store_false", help="the weights as they are")
    parser.add_argument("--solid-angle", action="store_true",
                        help="also the share of directions in which a speakable token wins")  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="S", help="of the solid angle")
    parser.add_argument("--fresh", action="store_true", help="settle again what is on disk")
    parser.add_argument("--export", metavar="FILE", help="write all that was asked, with certificates, as JSON Lines")


def _before(given: Namespace, wrong: Callable[[str], Any]) -> None:
    """Read the file to be checked, whose model is loaded where none is named."""
    if given.check is None:
        if not given.sources:
            wrong("speakable needs SOURCE, or --check FILE")
        if given.solid_angle and given.all:
            wrong("a solid angle takes seconds a token: ask for it by --token-id or --hard")
        if given.solid_angle and given.mode == "own_direction":
            wrong("there is no solid angle along one direction: choose --mode cone or ball")
        return
    if given.export or len(given.sources) > 1:
        wrong("--check takes a file, at most one SOURCE, and no --export")
    given.checked = read_certificate_file(Path(given.check))
    given.sources = given.sources or [given.checked.header.source]


def _requests(asked: Asked) -> Iterable[AnyRequest]:
    given = asked.arguments
    if given.check is not None:
        yield from _check_requests(given.checked, asked.models[0])
        return
    for model, token_id in zip(asked.models, asked.token_ids, strict=True):
        request = ProveSpeakability(
            model=model.name,
            mode=given.mode,
            token_ids=None if token_id is None else (token_id,),
            hard=token_id is None and not given.all,
            bias=given.mode != "cone" if given.bias is None else given.bias,
            folded=given.folded,
            solid_angle=given.solid_angle,
            seed=asked.settings.seed if given.seed is None else given.seed,
            fresh=given.fresh,
        )
        yield request
        if given.json or given.export:
            given.model = model
            yield ReadCertificates(of=request)


def _check_requests(file: CertificateFile, model: ModelInfo) -> Iterable[AnyRequest]:
    header = file.header
    if header.weights_digest != model.weights_digest:
        raise ExplorerError(
            f"these certificates are of other weights than those of {model.name}: their digests differ",
            hint="Name the model that they were made for.",
        )
    for start in range(0, max(len(file.rows), 1), CHECKED_AT_ONCE):
        rows = file.rows[start : start + CHECKED_AT_ONCE]
        yield CheckCertificates(
            model=model.name, mode=header.mode, bias=header.bias, folded=header.folded, digest=header.digest, rows=rows
        )


def _rows(outcome: Found) -> Iterable[Row]:
    if isinstance(outcome, Certificates):
        for row in outcome.rows:
            yield _json_row(outcome, row)
    elif isinstance(outcome, CertificatesChecked):
        plain = to_plain(outcome)
        del plain["kind"]
        yield plain


def _json_row(outcome: Certificates, row: SpeakabilityRow) -> Row:
    angle = row.solid_angle
    share = None if angle is None else {"log10": angle.log10, "stderr": angle.stderr, "found": angle.found}
    plain: Row = to_plain({
        "model": outcome.model,
        "token_id": row.token.token_id,
        "text": row.token.text,
        "mode": outcome.mode,
        "bias": outcome.bias,
        "weights": "folded" if outcome.folded else "raw",
        "own_direction_winner": row.own_direction_winner.token_id,
        "verdict": row.verdict,
        "margin": row.margin,
        "certificate": {} if row.certificate is None else _plain_proof(row.certificate),
        "on_sphere": row.on_sphere,
        "solid_angle": share,
    })  # fmt: skip
    return plain


def _plain_proof(proof: SpeakabilityCertificate) -> dict[str, Any]:
    """A certificate without the fields that its kind has no use for."""
    needed = {"witness": ("x",), "row_witness": (), "weights": ("token_ids", "weights", "centre")}[proof.kind]
    plain = to_plain(proof)
    return {"kind": proof.kind, **{name: plain[name] for name in needed}}


def _after(given: Namespace, outcome: Found) -> None:
    if isinstance(outcome, CertificatesChecked) and outcome.refused:
        some = ", ".join(map(str, outcome.refused[:8])) + (" …" if len(outcome.refused) > 8 else "")
        raise ExplorerError(f"{len(outcome.refused):,} certificates do not hold: {some}")
    if given.export and isinstance(outcome, Certificates):
        path = Path(given.export)
        if len(given.sources) > 1:
            path = path.with_stem(f"{path.stem}-{outcome.model}")
        header = FileHeader(
            source=given.model.source, weights_digest=given.model.weights_digest, digest=outcome.digest,
            mode=outcome.mode, bias=outcome.bias, folded=outcome.folded, tokens=len(outcome.rows),
        )  # fmt: skip
        write_certificate_file(path, CertificateFile(header, outcome.rows))
        print(f"{len(outcome.rows):,} tokens written to {path.name}", file=sys.stderr)


def _show(outcome: Found) -> Sequence[Any]:
    if isinstance(outcome, Certificates):
        return []
    if isinstance(outcome, CertificatesChecked):
        refused = len(outcome.refused)
        counts = f"{outcome.proved:,} proved, {outcome.undecided:,} undecided, {refused:,} refused"
        return [Text("; ".join([counts, *outcome.notes]))]
    form = f"{'with' if outcome.bias else 'without'} bias, {'folded' if outcome.folded else 'raw'} weights"
    plural = "" if outcome.tokens == 1 else "s"
    lines: list[Any] = [
        Text(f"{visible(outcome.model)}, {outcome.mode.replace('_', ' ')}, {form}: {outcome.question}"),
        Text(
            f"{outcome.tokens:,} token{plural}: {outcome.speakable:,} speakable, {outcome.unspeakable:,} unspeakable,"
            f" {outcome.undecided:,} undecided; {outcome.hard:,} hard to speak ({outcome.reused:,} from disk)"
        ),
        *(Text(visible(note, spaces=False), "yellow") for note in outcome.notes),
    ]
    if outcome.rows:
        table = _table("id", "token", "wins along its row", "verdict", "margin", "on sphere", "log10 share",
                       right=("id", "margin"))  # fmt: skip
        sphere = {True: "yes", False: "not found", None: "–"}
        for row in outcome.rows:
            angle = row.solid_angle
            share = "–" if angle is None else f"{angle.log10:.2f} ± {angle.stderr:.2f}"
            table.add_row(str(row.token.token_id), _token(row.token), _token(row.own_direction_winner), row.verdict,
                          _number(row.margin), sphere[row.on_sphere], share)  # fmt: skip
        lines.append(table)
    return lines


SPEAKABLE_VERBS: tuple[Verb, ...] = (
    Verb("speakable", "which tokens can be said at all, with certificates", "*", _arguments, _requests, _rows, _show,
         names_token=True, after=_after, before=_before),
)  # fmt: skip
