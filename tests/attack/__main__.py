"""`make attack`: every attack, one after the other, for some minutes each; the exit status is 1 where one got through.

python -m tests.attack [NAME …] [--minutes M] [--seed S]      names: checkpoints, monkey, sessions …
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Attack = Callable[[float, int], int]
"""(minutes, seed) → how many got through; each is told on stdout."""


def find_attacks() -> dict[str, str]:
    """The modules `attack_….py` beside this one by name. Each has a function `run` (see `Attack`)."""
    return {path.stem.removeprefix("attack_"): path.stem for path in sorted(Path(__file__).parent.glob("attack_*.py"))}


def main() -> int:
    """Run the named attacks, or all of them."""
    found = find_attacks()
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description="Attack the program.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(found)} (default: all)")
    parser.add_argument("--minutes", type=float, default=2.0, help="for each attack (default 2)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if unknown := set(given.names) - found.keys():
        parser.error(f"there is no attack {', '.join(sorted(unknown))}; there are: {', '.join(found)}")
    failed = 0
    for name in given.names or found:
        print(f"── {name}", flush=True)
        attack: Attack = import_module(f"tests.attack.{found[name]}").run
        failed += attack(given.minutes, given.seed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
