"""The arguments of the program: of the explorer, of each verb, and of all together (for completion and the manual)."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from explorer import __version__
from explorer.headless.word_parser import PROGRAM, WordParser, examples_text

if TYPE_CHECKING:
    from explorer.specs.command_line import Verb

SESSION_VERB_NAMES = ("session", "replay")
SHELLS = ("bash", "zsh", "fish")
EXPLORER_EXAMPLES = (
    ("", "explore the embedded zoo"),
    ("HuggingFaceTB/SmolLM2-135M-Instruct", "explore a model of the hub"),
    ("./base ./instruct", "explore two local models side by side"),
    ("--resume", "resume the latest session"),
)


def explorer_parser() -> WordParser:
    """Arguments of the explorer itself."""
    verbs = (*verb_names(), *SESSION_VERB_NAMES, "engine")
    first, rest = ", ".join(verbs[:8]) + ",", ", ".join(verbs[8:])
    parser = WordParser(
        prog=PROGRAM,
        description="Explore token geometry and model behaviour. Without a verb: the explorer on\n"
        "SOURCE… (default: the embedded zoo). SOURCE: zoo:NAME, a Hugging Face directory,\n"
        "a GGUF file, a hub id, weights:SOURCE, or a model behind a server: vllm:URL,\n"
        "llama:URL, sglang:URL, openai:URL, server:NAME.",
        epilog=f"verbs without a screen, with a help each ({PROGRAM} VERB --help):\n  {first}\n  {rest}\n\n"
        + examples_text(EXPLORER_EXAMPLES),
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_explorer_arguments(parser)
    return parser


def add_explorer_arguments(parser: ArgumentParser) -> None:
    """What stands behind the program's name where there is no verb."""
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="models to load, in this order")
    _add_options(parser)


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument("--theme", metavar="NAME", help="a theme of the explorer (key t shows them)")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of what is sampled (default: the settings')")
    _add_common(parser)
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="FILE", help="resume a recorded session: FILE, or the latest one"
    )
    parser.add_argument(
        "--install-completion", nargs="?", const="", choices=("", *SHELLS), metavar="SHELL",
        help=f"install completion for {', '.join(SHELLS)} (default: the shell of $SHELL) and the manual page",
    )  # fmt: skip
    parser.add_argument(
        "--print-completion", choices=(*SHELLS, "man"), metavar="SHELL",
        help="print the completion script of a shell, or the manual page (man), and install nothing",
    )  # fmt: skip


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16", "float16"), help="number type of the weights (default auto)"
    )
    parser.add_argument(
        "--device", metavar="D", help="auto (several GPUs where one has no room), cpu, cuda, cuda:1 … (default auto)"
    )
    parser.add_argument("--allow-pickle", action="store_true", default=None, help="read .bin checkpoints, weights only")
    parser.add_argument(
        "--tokenizer", metavar="DIR", help="use the tokenizer of this folder or hub id, for sources that have none"
    )
    parser.add_argument(
        "--chat-day", metavar="DAY", help="the date that chat templates write, as 2026-11-28 (default today)"
    )
    parser.add_argument(
        "--engine",
        metavar="COMMAND",
        help="the command that starts the engine, such as 'ssh BOX glitch-explore engine'",
    )
    parser.add_argument("--settings", metavar="FILE", help="a settings file instead of the usual one")
    parser.add_argument("--session", metavar="FILE", help="append the steps to this session file")


def verb_names() -> Iterable[str]:
    """The verbs that have a command."""
    from explorer.specs.registry import REGISTRY

    return (spec.verb.name for spec in REGISTRY.verbs() if spec.verb is not None)


def verb_parser(verb: Verb) -> WordParser:
    """Arguments of a verb."""
    parser = WordParser(
        prog=f"{PROGRAM} {verb.name}",
        description=f"{verb.help[0].upper()}{verb.help[1:]}.",
        epilog=examples_text([(f"{verb.name} {words}", said) for words, said in verb.examples]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_verb_arguments(parser, verb)
    return parser


def add_verb_arguments(parser: ArgumentParser, verb: Verb) -> None:
    """What stands behind a verb's name."""
    if verb.sources != "0":
        parser.add_argument(
            "sources", nargs=verb.sources, metavar="SOURCE", help="zoo:NAME, directory, GGUF file, hub id, weights:…"
        )
    verb.arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per line, and nothing else, on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress and no remarks on stderr; errors are shown")
    _add_common(parser)


def whole_parser() -> ArgumentParser:
    """The explorer's options and every verb as a sub-command: nothing is parsed with it, completion and manual are
    made of it."""
    from explorer.headless.session_verbs import add_session_verbs
    from explorer.specs.registry import REGISTRY

    parser = WordParser(prog=PROGRAM, description="Explore token geometry and model behaviour of language models.")
    _add_options(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB or SOURCE")
    for spec in REGISTRY.verbs():
        if (verb := spec.verb) is not None:
            add_verb_arguments(verbs.add_parser(verb.name, help=verb.help, description=f"{verb.help}."), verb)
    add_session_verbs(verbs)
    verbs.add_parser("engine", help="serve models through a pipe, for --engine")
    return parser
