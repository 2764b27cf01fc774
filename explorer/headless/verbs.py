"""The verbs: for each its arguments, the request it asks, and its outcome as JSON rows and as a table."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable

from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import ListModels, ModelCatalogue
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.plain import to_plain
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, TokenReplies
from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.unions import AnyRequest
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.base.templates import SLOT, Template, check_template, find_template
from explorer.headless import tables
from explorer.headless.speakable_verb import SPEAKABLE_VERBS
from explorer.headless.verb import Asked, Row, Verb
from explorer.headless.verify_verbs import VERIFY_VERBS
from explorer.settings import Settings


def _token_arguments(parser: ArgumentParser, *, required: bool) -> None:
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--token-id", type=int, metavar="N", help="the token, by its id (in the first model)")
    group.add_argument("--token", metavar="TEXT", help="the token, by its exact text, leading space included")


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{text} is less than 1")
    return number


def _temperature(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"{text} is no temperature: 0 or more")
    return number


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────


def _tokens_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sort", default="", metavar="NAME", help="an indicator, id, token, category or bytes")
    parser.add_argument("--descending", action="store_true")
    parser.add_argument("--top", type=positive, default=50, metavar="N", help="rows (default 50)")
    parser.add_argument("--filter", default="", metavar="RE", help="a regular expression on the token's text")
    parser.add_argument("--where", default="", metavar="FILTER", help="a filter as in the explorer's filter box")
    parser.add_argument("--category", choices=CATEGORIES)
    parser.add_argument("--unused-ids", type=_ids, metavar="IDS", help="known-unused ids, comma-separated")


def _ids(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


def _tokens_requests(asked: Asked) -> Iterable[AnyRequest]:
    given = asked.arguments
    pattern = "/" + given.filter.replace("/", r"\/") + "/" if given.filter else ""
    for model in asked.models:
        yield RankTokens(
            model=model.name,
            sort=given.sort,
            descending=given.descending,
            filter=" ".join(part for part in (pattern, given.where) if part),
            category=given.category,
            top=given.top,
            unused_ids=given.unused_ids,
        )


def _tokens_rows(outcome: RankedTokens) -> Iterable[Row]:
    for row in outcome.rows:
        yield {"model": outcome.model, **to_plain(row)}


# ── inspect ───────────────────────────────────────────────────────────────────────────────────────────────


def _inspect_arguments(parser: ArgumentParser) -> None:
    _token_arguments(parser, required=True)


def _inspect_requests(asked: Asked) -> Iterable[AnyRequest]:
    for model, token_id in zip(asked.models, asked.token_ids, strict=True):
        yield InspectToken(model=model.name, token_id=token_id)


def _inspect_rows(outcome: TokenDetail) -> Iterable[Row]:
    plain = to_plain(outcome)
    del plain["kind"]
    yield {"model": plain.pop("model"), **plain.pop("row"), **plain}


# ── repeat ────────────────────────────────────────────────────────────────────────────────────────────────


def _repeat_arguments(parser: ArgumentParser) -> None:
    _token_arguments(parser, required=True)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--template", default="repeat-1", metavar="NAME", help="a template by name (default repeat-1)")
    form.add_argument("--template-text", metavar="TEXT", help=f"a template of your own, with {SLOT} in it")
    parser.add_argument("--samples", type=positive, metavar="K", help="replies (default 1)", default=1)
    parser.add_argument(
        "--temperature", type=_temperature, default=None, metavar="T", help="0: greedy (default; 0.7 for K > 1)"
    )
    parser.add_argument("--top-p", type=float, default=1.0, metavar="P")
    parser.add_argument("--seed", type=int, metavar="S")
    parser.add_argument("--max-new-tokens", type=positive, metavar="M")
    parser.add_argument("--controls", type=int, default=0, metavar="K", help="ordinary tokens asked the same")
    parser.add_argument("--plain", action="store_true", help="no chat template, also for instruct models")


def chosen_template(given: Namespace, settings: Settings) -> Template:
    """The template that `--template` or `--template-text` names. Raises `TemplateError`."""
    if given.template_text is not None:
        return check_template(Template(name="own", question=given.template_text))
    return find_template(given.template, settings.templates)


def _repeat_requests(asked: Asked) -> Iterable[AnyRequest]:
    given = asked.arguments
    template = chosen_template(given, asked.settings)
    usual = 0.7 if given.samples > 1 else 0.0
    for model, token_id in zip(asked.models, asked.token_ids, strict=True):
        assert token_id is not None
        yield RepeatBack(
            model=model.name,
            token_id=token_id,
            template=template,
            samples=given.samples,
            temperature=usual if given.temperature is None else given.temperature,
            top_p=given.top_p,
            seed=asked.settings.seed if given.seed is None else given.seed,
            max_new_tokens=given.max_new_tokens,
            controls=given.controls,
            chat="never" if given.plain else "auto",
        )


def _repeat_rows(outcome: RepeatBackResult) -> Iterable[Row]:
    yield from _probe_rows(outcome, outcome.probe, control=False)
    for probe in outcome.controls:
        yield from _probe_rows(outcome, probe, control=True)


def _probe_rows(outcome: RepeatBackResult, probe: TokenReplies, *, control: bool) -> Iterable[Row]:
    for reply in probe.replies:
        plain = to_plain(reply)
        yield {
            "model": outcome.model,
            "template": outcome.template,
            "token_id": probe.token.token_id,
            "control": control,
            "sample": reply.sample,
            "prompt_ids": list(probe.prompt_ids),
            "reencodes": probe.reencodes,
            **{key: plain[key] for key in ("reply_ids", "reply", "outcome", "finish")},
            **{key: plain[key] for key in ("token_logprob", "token_rank", "token_position", "logprobs")},
        }


# ── logprobs ──────────────────────────────────────────────────────────────────────────────────────────────


def _logprobs_arguments(parser: ArgumentParser) -> None:
    _token_arguments(parser, required=False)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--prompt", metavar="TEXT", help=f"free text; {SLOT} in it is the token")
    form.add_argument("--template", metavar="NAME", help="a template by name, with --token-id or --token")
    parser.add_argument("--target", action="append", default=[], metavar="TEXT", help="a target; may be repeated")
    parser.add_argument(
        "--top", type=positive, metavar="K", help="also the first model's K likeliest tokens (10 without --target)"
    )
    parser.add_argument("--plain", action="store_true", help="no chat template, also for instruct models")


def _logprobs_requests(asked: Asked) -> Iterable[AnyRequest]:
    given = asked.arguments
    yield ReadLogprobs(
        models=tuple(model.name for model in asked.models),
        prompt=given.prompt or "",
        template=find_template(given.template, asked.settings.templates) if given.template else None,
        token_id=asked.token_ids[0],
        token_is_target=asked.token_ids[0] is not None,
        targets=tuple(given.target),
        top_of=asked.models[0].name if given.top is not None else "",
        top_k=10 if given.top is None else given.top,
        chat="never" if given.plain else "auto",
    )


def _logprobs_rows(outcome: LogprobTable) -> Iterable[Row]:
    for column in outcome.columns:
        for cell in column.cells:
            yield {
                "model": column.model,
                "target": cell.target,
                "target_ids": list(cell.target_ids),
                "logprob": to_plain(cell.logprob),
                "prob": math.exp(cell.logprob),
                "rank": cell.rank,
                "entropy": to_plain(column.entropy),
            }


# ── neighbours and models ─────────────────────────────────────────────────────────────────────────────────


def _neighbours_arguments(parser: ArgumentParser) -> None:
    _token_arguments(parser, required=True)
    parser.add_argument("--k", type=positive, default=20, metavar="K")
    parser.add_argument("--metric", choices=("euclidean", "cosine", "dot"), default="cosine")
    parser.add_argument("--space", choices=("input", "output"), default="input", help="rows of W_E, or columns of W_U")
    parser.add_argument("--encoder", metavar="DIR", help="a sentence-transformers model: also compare by meaning")


def _neighbours_requests(asked: Asked) -> Iterable[AnyRequest]:
    given = asked.arguments
    for model, token_id in zip(asked.models, asked.token_ids, strict=True):
        assert token_id is not None
        yield FindNeighbours(
            model=model.name,
            token_id=token_id,
            k=given.k,
            metric=given.metric,
            space=given.space,
            encoder=given.encoder or asked.settings.encoder,
        )


def _neighbours_rows(outcome: Neighbourhood) -> Iterable[Row]:
    for neighbour in outcome.neighbours:
        plain = to_plain(neighbour)
        yield {
            "model": outcome.model,
            **plain.pop("token"),
            **{key: plain[key] for key in plain if plain[key] is not None},
        }


def _models_rows(outcome: ModelCatalogue) -> Iterable[Row]:
    for entry in outcome.entries:
        yield to_plain(entry)


def _nothing(parser: ArgumentParser) -> None:
    """A verb without arguments of its own."""


__all__ = ["VERBS", "Asked", "Row", "Verb"]

VERBS: tuple[Verb, ...] = (
    Verb("tokens", "rank the vocabulary by an indicator", "+", _tokens_arguments, _tokens_requests, _tokens_rows,
         tables.tokens),
    Verb("inspect", "everything known of one token", "+", _inspect_arguments,
         _inspect_requests, _inspect_rows, tables.detail, names_token=True),
    Verb("repeat", "ask models to repeat a token back", "+",
         _repeat_arguments,
         _repeat_requests, _repeat_rows, tables.replies, names_token=True),
    Verb("logprobs", "next-token log-probabilities across models", "+",
         _logprobs_arguments,
         _logprobs_requests, _logprobs_rows, tables.logprobs, names_token=True),
    Verb("neighbours", "nearest neighbours of a token", "+",
         _neighbours_arguments,
         _neighbours_requests, _neighbours_rows, tables.neighbours, names_token=True),
    Verb("models", "the zoo and what is cached here", "0", _nothing, lambda asked: [ListModels()], _models_rows,
         tables.catalogue),
    *VERIFY_VERBS,
    *SPEAKABLE_VERBS,
)  # fmt: skip
