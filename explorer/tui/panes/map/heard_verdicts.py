"""What sweeps found, as the Map pane overhears them: what its plots set a column against."""

from __future__ import annotations

from dataclasses import dataclass, field

from explorer.base.records.unions import Cancelled, Step
from explorer.base.records.verification import ReadVerdicts, VerdictColumns, VerificationResult, Verify
from explorer.tables.tested import TokenVerdicts, learn
from explorer.tables.verdicts import VerdictMatrix
from explorer.tui.panes.map.recorded_curves import RecordedCurves


@dataclass
class _Heard:
    """Of one model."""

    news: list[VerdictMatrix] = field(default_factory=list)
    """Whole matrices of this run of the program that `known` does not have yet."""
    known: dict[str, TokenVerdicts] = field(default_factory=dict)
    """By definition."""
    result: VerificationResult | None = None
    """The last one, which a session has too."""
    sample: frozenset[int] = frozenset()
    """The tokens that were drawn at random last."""


class HeardVerdicts:
    """By model."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def hear(self, step: Step) -> bool:
        """Take a step of a verification; whether it was one."""
        match step.request, step.outcome:
            case ReadVerdicts(of=request), VerdictColumns() as columns:
                heard = self._of(columns.model)
                if request.is_sample:
                    heard.sample = frozenset(columns.token_ids.numpy().tolist())
                heard.news.append(VerdictMatrix(columns))
            case (Verify(), VerificationResult() as result) | (
                Verify(),
                Cancelled(partial=VerificationResult() as result),
            ):
                self._of(result.model).result = result
            case _:
                return False
        return True

    def _of(self, model: str) -> _Heard:
        return self._heard.setdefault(model, _Heard())

    def of(self, model: str, vocab_size: int) -> tuple[dict[str, TokenVerdicts], frozenset[int]]:
        """By definition, where it has a verdict on any token; and the tokens drawn at random. Passes over a vocabulary:
        not on the event loop."""
        heard = self._heard.get(model, _Heard())
        known, news = dict(heard.known), heard.news
        heard.news = []
        for matrix in news:
            for place, definition in enumerate(matrix.definitions):
                known[definition.name] = learn(known.get(definition.name), matrix, place, vocab_size)
        heard.known = known
        return {name: found for name, found in known.items() if found.is_decided.any()}, heard.sample

    def recorded(self, model: str, indicator: str, *, or_any: bool = False) -> RecordedCurves | None:
        """The last result, with curves of the indicator; `or_any`: or of another where it has none of that."""
        result = self._heard.get(model, _Heard()).result
        if result is None:
            return None
        known = [curve.indicator for curve in result.curves]
        return RecordedCurves.of(result, known[0] if or_any and known and indicator not in known else indicator)

    def forget(self, model: str) -> None:
        """Another model has taken the name."""
        self._heard.pop(model, None)

    def clear(self) -> None:
        """Nothing was measured."""
        self._heard.clear()
