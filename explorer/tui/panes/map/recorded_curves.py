"""What a session holds of an indicator against verdicts: curves without the numbers of single tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from explorer.base.records.verification import VerificationResult
from explorer.tui.panes.verdicts.curves import Curves, find_curves


@dataclass(frozen=True)
class RecordedCurves:
    """A recorded verification, and the definition whose calls are shown."""

    result: VerificationResult
    indicator: str
    definition: str

    @classmethod
    def of(cls, result: VerificationResult, indicator: str) -> RecordedCurves:
        """Of the first definition that has curves of the indicator; of none where there is none."""
        found = cls(result, indicator, "")
        return replace(found, definition=next(iter(found.definitions), ""))

    @property
    def definitions(self) -> list[str]:
        """Those that have curves of the indicator."""
        return [one.definition for one in self.result.curves if one.indicator == self.indicator]

    @property
    def curves(self) -> Curves:
        """Curves and their areas."""
        return find_curves(self.result, None, self.indicator, self.definition)

    def next_definition(self) -> RecordedCurves:
        """Of the next definition."""
        names = self.definitions
        if len(names) < 2:
            return self
        return replace(self, definition=names[(names.index(self.definition) + 1) % len(names)])
