"""Numbers as the field writes them. No torch: the screen and the command line use the same."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal

DIGITS = 4
_NUMBER = re.compile(r"[-−+]?[\d,]+(\.\d+)?")
AT_MOST = "≤ "
"""Before a number that is only known to be at most that."""


def format_significant(number: Decimal, digits: int = DIGITS) -> str:
    """`digits` significant digits, with an exponent only below 1e-5 or where the digits do not reach the point.

    `24.43`, `0.00007736`, `1.219e-6`, `1.235e4`: the form of the published tables of base and instruct
    models' logprobs.
    """
    mantissa, _, exponent = f"{number:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if number == 0:
        return f"{0:.{digits - 1}f}"
    if -5 <= power < digits:
        return f"{Decimal(f'{mantissa}e{power}'):.{digits - 1 - power}f}"
    return f"{mantissa}e{power}"


def format_logprob(logprob: float) -> str:
    """A log-probability in nats: `-1.410`; `-inf` and `nan` as such."""
    if not math.isfinite(logprob):
        return str(logprob)
    return format_significant(Decimal(logprob))


def format_prob_percent(logprob: float) -> str:
    """The probability in percent of a log-probability in nats: `24.43%`, `3.956e-7%`; `0%` for -inf.

    Exact however small: exp(-1000) is 5.076e-433%, which no float holds.
    """
    if math.isnan(logprob):
        return "nan%"
    if logprob == -math.inf:
        return "0%"
    return f"{format_significant(Decimal(logprob).exp() * 100)}%"


def format_logprob_and_percent(logprob: float, *, at_most: bool = False) -> str:
    """The field's familiar form: `-1.410 / 24.43%`; `≤ -4.720 / 0.8915%` for an upper bound."""
    return f"{AT_MOST if at_most else ''}{format_logprob(logprob)} / {format_prob_percent(logprob)}"


def format_entropy(entropy: float | None) -> str:
    """An entropy in nats: `2.317`; `–` where it is not known."""
    return "–" if entropy is None else format_logprob(entropy)


def format_percent(share: float) -> str:
    """A share between 0 and 1 with one decimal: '24.7 %'; '< 0.1 %' and '> 99.9 %' where it would be rounded to none or
    to all."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def format_p(p: float | None) -> str:
    """A p-value: '4e-19', '0.083'; a dash where there is none."""
    if p is None:
        return "–"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}".replace("e-0", "e-")


def align_decimals(texts: Sequence[str]) -> list[str]:
    """Numbers padded on the right so that their points stand below each other; other texts as they are."""
    numbers = [text for text in texts if _NUMBER.fullmatch(text)]
    widest = max((_fraction(text) for text in numbers), default=0)
    return [text + " " * (widest - _fraction(text)) if _NUMBER.fullmatch(text) else text for text in texts]


def _fraction(text: str) -> int:
    """Characters of a number from its point on."""
    _, point, rest = text.partition(".")
    return len(point + rest)


def decimals(values: Sequence[float], digits: int = 4) -> int:
    """Decimals that give the largest of `values` about `digits` significant digits, the same for all of them."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    whole = math.floor(math.log10(largest)) + 1 if largest > 0 else 1
    return max(0, min(7, digits - max(whole, -2)))


def even_decimals(values: Sequence[float | None]) -> list[str]:
    """The numbers with the same decimals and width, so that their points stand in one column; None is blank."""
    places = decimals([value for value in values if value is not None])
    texts = ["–" if value is None else f"{value:.{places}f}" for value in values]
    room = max((len(text) for text in texts), default=0)
    return [text.rjust(room) for text in texts]
