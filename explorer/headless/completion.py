"""Shell completion (by shtab) and the manual page (by argparse-manpage), printed or installed for this user."""

from __future__ import annotations

import os
from pathlib import Path

from explorer.base.errors import ExplorerError
from explorer.base.files import write_whole
from explorer.headless.parsers import SHELLS, whole_parser
from explorer.headless.word_parser import PROGRAM


def completion_of(shell: str) -> str:
    """The completion script of `shell`, or the manual page (troff) for `man`."""
    if shell == "man":
        return _manual()
    import shtab

    return str(shtab.complete(whole_parser(), shell=shell))


def _manual() -> str:
    from argparse_manpage.manpage import Manpage

    parser = whole_parser()
    parser.man_short_description = "explore token geometry and model behaviour"  # type: ignore[attr-defined]
    return str(Manpage(parser))


def install_completion(shell: str) -> list[str]:
    """Install for `shell` (that of $SHELL where empty), and the manual page; what was written and what to do, in lines.

    Raises `ExplorerError` for a shell that is not known, or a folder that cannot be written.
    """
    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise ExplorerError(
            f"there is no completion for the shell '{shell}'",
            hint=f"Say which: --install-completion {'|'.join(SHELLS)}.",
        )
    places = {shell: _script_path(shell), "man": _data_folder() / "man" / "man1" / f"{PROGRAM}.1"}
    for form, path in places.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, [completion_of(form).encode()])
        except OSError as error:
            raise ExplorerError(f"{path} cannot be written: {error.strerror}") from error
    said = [f"{form}: {path}" for form, path in places.items()]
    if shell == "zsh":
        said.append(f"Put this line into ~/.zshrc, before compinit: fpath=({_script_path(shell).parent} $fpath)")
    return [*said, "Start a new shell to use it."]


def _script_path(shell: str) -> Path:
    """Where `shell` looks for completions by itself (zsh: where it can be told to look)."""
    if shell == "fish":
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return folder / "fish" / "completions" / f"{PROGRAM}.fish"
    if shell == "zsh":
        return _data_folder() / "zsh" / "site-functions" / f"_{PROGRAM}"
    return _data_folder() / "bash-completion" / "completions" / PROGRAM


def _data_folder() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
