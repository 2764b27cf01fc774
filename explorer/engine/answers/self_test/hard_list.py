"""Part of `SelfTest`: the published list of tokens hard to speak, line by line.

The list: the tables of the post "A mechanistic explanation for SolidGoldMagikarp-like tokens in GPT2". It takes the
weights as they are, and the winner along a token's own direction without a bias; its linear program is our box.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from explorer.base.errors import ExplorerError
from explorer.base.records.self_test import BoxLine, HardLine, HardListScore
from explorer.base.records.speakability import ProveSpeakability, ReadCertificates, SpeakabilityResult, SpeakabilityRow
from explorer.base.records.tokens import TokenRef
from explorer.base.records.unions import AnyPart, Cancelled
from explorer.engine.answers.speakability.answer import prove_tokens, read_certificates
from explorer.engine.answers.speakability.unembedding import unembedding
from explorer.engine.control import Control
from explorer.engine.data.published import MECHANISTIC, HardToken, hard_tokens
from explorer.engine.models.abilities import HasWeights

EXAMPLES = 20
_STATEMENT = (
    "The winner along each token's own direction (raw weights, no bias), and the verdict of the linear program "
    "(|x_i| at most 1) where it was printed; 'ahead by' is how far our winner leads the printed one."
)


def compare_hard_tokens(
    model: HasWeights, control: Control, cache: Path
) -> Generator[AnyPart, None, HardListScore | None]:
    """Our own directions and box verdicts beside the list; None where there is none of this model, or once cancelled.

    Raises `ExplorerError` where the list names tokens that the model does not have.
    """
    listed = hard_tokens(model.info.source)
    if not listed:
        return None
    last = max(max(token.token_id, token.winner) for token in listed)
    if last >= model.info.vocab_size:
        raise ExplorerError(
            f"the list of tokens hard to speak names token {last:,}, which {model.info.name} does not have",
            hint="This is another model of the same name; load the one that the list is about.",
        )
    own = ProveSpeakability(model=model.info.name, mode="own_direction", bias=False, folded=False)
    outcome = yield from prove_tokens(model, own, control, cache)
    if isinstance(outcome, Cancelled):
        return None
    directions = read_certificates(model, ReadCertificates(of=own), cache).rows
    boxes: dict[bool, dict[int, SpeakabilityRow]] = {}
    for bias in (False, True):
        tested = tuple(token.token_id for token in listed if bias in dict(token.best))
        boxes[bias] = {}
        if tested:
            box = ProveSpeakability(
                model=model.info.name, mode="box", bias=bias, folded=False, token_ids=tested, rows=len(tested)
            )
            outcome = yield from prove_tokens(model, box, control, cache)
            if not isinstance(outcome, SpeakabilityResult):
                return None
            boxes[bias] = {row.token.token_id: row for row in outcome.rows}
    return _score(listed, directions, boxes, _leads(model, listed, directions))


def _leads(model: HasWeights, listed: Sequence[HardToken], directions: Sequence[SpeakabilityRow]) -> dict[int, float]:
    """How far our winner is ahead of the listed one along each listed token's direction."""
    found = unembedding(model, folded=False, bias=False)
    place = {token_id: at for at, token_id in enumerate(found.token_ids.tolist())}
    winners = {row.token.token_id: row.own_direction_winner.token_id for row in directions}
    rows = found.rows
    return {
        token.token_id: float(
            rows[place[token.token_id]] @ (rows[place[winners[token.token_id]]] - rows[place[token.winner]])
        )
        for token in listed
    }


def _score(
    listed: Sequence[HardToken],
    directions: Sequence[SpeakabilityRow],
    boxes: dict[bool, dict[int, SpeakabilityRow]],
    leads: dict[int, float],
) -> HardListScore:
    ours = {row.token.token_id: row for row in directions}
    lines = tuple(
        HardLine(
            token=ours[token.token_id].token,
            listed_winner=token.winner,
            winner=ours[token.token_id].own_direction_winner,
            lead=leads[token.token_id],
            boxes=tuple(_box_line(token, bias, best, boxes[bias][token.token_id]) for bias, best in token.best),
        )
        for token in listed
    )
    names = {token.token_id for token in listed}
    others: list[TokenRef] = [
        row.token
        for row in directions
        if row.own_direction_winner.token_id != row.token.token_id and row.token.token_id not in names
    ]
    tested = [box for line in lines for box in line.boxes]
    return HardListScore(
        list_name=MECHANISTIC,
        statement=_STATEMENT,
        agreed=sum(line.winner.token_id == line.listed_winner for line in lines),
        boxes=len(tested),
        boxes_agreed=sum(box.agrees is True for box in tested),
        not_listed=len(others),
        examples=tuple(others[:EXAMPLES]),
        lines=lines,
    )


def _box_line(token: HardToken, bias: bool, best: int, row: SpeakabilityRow) -> BoxLine:
    printed = best == token.token_id
    agrees = None if row.verdict == "undecided" else printed == (row.verdict == "speakable")
    return BoxLine(bias=bias, listed_best=best, verdict=row.verdict, margin=row.margin, agrees=agrees)
