"""Certificates of speakability as JSON, as a file that can be sent round, and the requests that check such a file."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.base.errors import ExplorerError
from explorer.base.records.models import ModelInfo
from explorer.base.records.plain import to_plain
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    SpeakabilityCertificate,
    SpeakabilityRow,
)
from explorer.base.sources import portable_source
from explorer.specs.blocks import count, prose
from explorer.specs.command_line import Row

if TYPE_CHECKING:
    from explorer.tables.certificate_file import CertificateFile

CHECKED_AT_ONCE = 4096
"""Rows of a file that are sent to the engine together."""


def read_file_to_check(given: Namespace) -> None:
    """Read the file that `--check` names; its model is loaded where none is named.

    Raises `ExplorerError` where it cannot be read, or names a model in a folder.
    """
    from explorer.tables.certificate_file import read_certificate_file

    given.checked = read_certificate_file(Path(given.check))
    given.sources = given.sources or [given.checked.header.source]
    if "…/" in given.sources[0]:
        raise ExplorerError(
            f"{given.check} is about {given.sources[0]}, a model in a folder",
            hint=f"Name the model: prove FOLDER --check {given.check}",
        )


def check_requests(file: CertificateFile, model: ModelInfo) -> Iterable[CheckCertificates]:
    """The requests that check a file's certificates. Raises `ExplorerError` where they are of other weights."""
    header = file.header
    if header.weights_digest != model.weights_digest:
        raise ExplorerError(
            f"these certificates are about other weights than those of {model.name}: the digests differ",
            hint="Name the model that they were made for.",
        )
    for start in range(0, max(len(file.rows), 1), CHECKED_AT_ONCE):
        rows = file.rows[start : start + CHECKED_AT_ONCE]
        yield CheckCertificates(
            model=model.name, mode=header.mode, bias=header.bias, folded=header.folded, digest=header.digest, rows=rows
        )


def export_certificates(given: Namespace, model: ModelInfo, outcome: Certificates) -> None:
    """Write the file that `--export` names, one a model. Raises `ExplorerError` where it cannot be written."""
    from explorer.tables.certificate_file import CertificateFile, FileHeader, write_certificate_file

    path = Path(given.export)
    if len(given.sources) > 1:
        path = path.with_stem(f"{path.stem}-{outcome.model}")
    header = FileHeader(
        source=portable_source(model.source), weights_digest=model.weights_digest, digest=outcome.digest,
        mode=outcome.mode, bias=outcome.bias, folded=outcome.folded, tokens=len(outcome.rows),
    )  # fmt: skip
    write_certificate_file(path, CertificateFile(header, outcome.rows))
    print(f"{count(len(outcome.rows), 'token')} written to {prose(path.name)}", file=sys.stderr)


def certificate_rows(outcome: Certificates) -> Iterable[Row]:
    """Every settled token with its certificate, as JSON objects."""
    return (_json_row(outcome, row) for row in outcome.rows)


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


def _plain_proof(proof: SpeakabilityCertificate) -> Row:
    """A certificate without the fields that its kind has no use for."""
    needed = {"witness": ("x",), "row_witness": (), "weights": ("token_ids", "weights", "centre")}[proof.kind]
    plain = to_plain(proof)
    return {"kind": proof.kind, **{name: plain[name] for name in needed}}


def checked_row(outcome: CertificatesChecked) -> Iterable[Row]:
    """What the checker found, as one JSON object."""
    plain = to_plain(outcome)
    del plain["kind"]
    yield plain
