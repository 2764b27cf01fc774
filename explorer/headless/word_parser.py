"""An argument parser whose options take any next word as their value, one that begins with `-` too."""

from __future__ import annotations

import sys
from argparse import Action, ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from explorer.base.text import visible

PROGRAM = "glitch-explore"


class WordParser(ArgumentParser):
    """argparse takes every word with a `-` before it for an option: the filter `-cat:special`, the token `-foo`.

    Here the word behind an option that takes one value is its value, unless it is the name of an option itself: such a
    value is written with `=`, as `--token=--json`.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, once each value is joined to its option."""
        return super().parse_known_args(self.join_values(sys.argv[1:] if args is None else args), namespace)

    def error(self, message: str) -> NoReturn:
        """Argparse's, with what it quotes of the words made safe for the terminal."""
        super().error(visible(message, spaces=False))

    def join_values(self, words: Sequence[str]) -> list[str]:
        """The words, `--where -cat:special` written as `--where=-cat:special`."""
        joined: list[str] = []
        at = 0
        while at < len(words) and words[at] != "--":
            option = self._find_option(words[at])
            value = words[at + 1] if at + 1 < len(words) else ""
            takes = option is not None and option.nargs is None and "=" not in words[at]
            if takes and value.startswith("-") and self._find_option(value) is None:
                joined.append(f"{words[at]}={value}")
                at += 2
            else:
                joined.append(words[at])
                at += 1
        return [*joined, *words[at:]]

    def _find_option(self, word: str) -> Action | None:
        """The option that a word names, whole or by its beginning."""
        name = word.partition("=")[0]
        actions = self._option_string_actions
        if name in actions or not name.startswith("--"):
            return actions.get(name)
        begun = {id(action): action for option, action in actions.items() if option.startswith(name)}
        return next(iter(begun.values())) if len(begun) == 1 else None

    def _get_values(self, action: Action, arg_strings: list[str]) -> Any:
        """As argparse has it, which loses a value that is `--` (Python 3.11)."""
        if arg_strings == ["--"] and action.option_strings and action.nargs is None:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)


def examples_text(examples: Iterable[tuple[str, str]]) -> str:
    """The end of a help: the words behind the program's name, and what they do."""
    lines = [f"  {PROGRAM} {words}".rstrip() + f"\n      {said}" for words, said in examples]
    return "\n".join(("examples:", *lines)) if lines else ""
