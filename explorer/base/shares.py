"""How sure a share is: successes out of tries, with an interval. Standard library only: every side uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share (E. B. Wilson, JASA 22, 1927); (0, 1) where nothing was tried.

    Raises `ValueError` unless 0 <= successes <= n and 0 < confidence < 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a share")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    if n == 0:
        return 0.0, 1.0
    from statistics import NormalDist  # takes 6 ms with what it imports, and the first paint needs no interval

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    reach = z / shrink * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if successes == 0 else centre - reach
    high = 1.0 if successes == n else centre + reach
    return low, high


def format_share(successes: int, n: int) -> str:
    """`3/16 [0.07, 0.43]`: the share with its Wilson 95 % interval."""
    low, high = wilson_interval(successes, n)
    return f"{successes:,}/{n:,} [{low:.2f}, {high:.2f}]"


def count_said(outcomes: Sequence[str]) -> tuple[int, int]:
    """Of replies by class: how many are exact, and how many are exact or contain the token among other words."""
    exact = sum(outcome == "exact" for outcome in outcomes)
    return exact, exact + sum(outcome == "contains" for outcome in outcomes)


def format_said(outcomes: Sequence[str]) -> str:
    """`exact 0/3 [0.00, 0.56], exact or contains 2/3 [0.21, 0.94]`."""
    exact, said = count_said(outcomes)
    return f"exact {format_share(exact, len(outcomes))}, exact or contains {format_share(said, len(outcomes))}"


def shorten_said(outcomes: Sequence[str]) -> Iterator[str]:
    """What `format_said` says, then the same in less and less room: an interval is whole or not there."""
    (exact, said), n = count_said(outcomes), len(outcomes)
    yield format_said(outcomes)
    yield f"exact {format_share(exact, n)}, exact or contains {said:,}/{n:,}"
    yield f"exact {exact:,}/{n:,}, exact or contains {said:,}/{n:,}"
    yield from shorten_share("exact", exact, n)


def shorten_share(name: str, successes: int, n: int) -> Iterator[str]:
    """The share under its name with its interval, then without."""
    yield f"{name} {format_share(successes, n)}"
    yield f"{name} {successes:,}/{n:,}"
