"""Errors with words for the user: what happened, and what to do about it."""

from __future__ import annotations


class ExplorerError(Exception):
    """An expected trouble. `message` is one line, with numbers; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def line(self) -> str:
        """Message and hint as one line of sentences."""
        return self.message if not self.hint else f"{self.message.rstrip('.')}. {self.hint}"


def one_line(error: BaseException) -> str:
    """What an error of a library says, as one line of at most 300 characters; its kind where it says nothing."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class UsageError(ExplorerError):
    """What was asked makes no sense, whatever the model: the command line exits with 2."""
