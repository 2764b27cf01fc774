"""What a screen calls indicators: one short name each, as the headings of the token table have it."""

from __future__ import annotations

import re

from explorer.base.records.tokens import LABELS

_NAMES = "|".join(sorted(LABELS, key=len, reverse=True))
_NAME = re.compile(rf"(?<!\w)({_NAMES})(?!\w|\s*[<>=])")


def with_labels(words: str) -> str:
    """`words` with each indicator under the name that screens give it: 'by input_norm' becomes 'by ‖W_E‖'.

    The comparisons of a filter (`pct:input_norm<2`) stay as they were written.
    """
    return _NAME.sub(lambda found: LABELS[found[0]], words)
