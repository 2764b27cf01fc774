"""One frozen Settings: defaults < TOML file < environment < flags. Read once, passed in, never global."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from platformdirs import user_config_path, user_state_path

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.models import LoadModel
from explorer.base.servers import NAMED, Server, ServerEntry, check_server, find_server, is_server
from explorer.base.sources import portable_source
from explorer.base.templates import Template, TemplateError, check_template

APP = "glitch-explore"
PREFIX = "GLITCH_EXPLORE_"
LIMITS_VARIABLE = f"{PREFIX}LIMITS"
"""What the engine looks at for `Settings.limits`."""
FIRST_MODELS = ("zoo:mynah", "zoo:mynah-instruct", "zoo:lyrebird", "zoo:starling")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a user may choose once and for all."""

    models: tuple[str, ...] = FIRST_MODELS
    """Sources loaded at the start; the first one's vocabulary is shown."""
    theme: str = "nightjar"
    native_text: bool = False
    """Whether every pane shows combining vowels and right-to-left letters as they are written; else `\\u{…}`."""
    keys: dict[str, str] = {}
    """Command name → key, in Textual's spelling (`ctrl+r`, `f2`, `slash`)."""
    templates: tuple[Template, ...] = ()
    """The user's own prompt templates, beside the shipped ones."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    allow_pickle: bool = False
    tokenizer: str = ""
    """A folder or hub id whose tokenizer all models are given; empty: each has its own."""
    chat_day: str = ""
    """The date that chat templates are given, as 2026-11-28; empty: today's."""
    servers: tuple[ServerEntry, ...] = ()
    """Servers that models stand behind, each loaded as `server:NAME`."""
    seed: int = 0
    engine: str = ""
    """Command that starts an engine elsewhere, such as `ssh BOX glitch-explore engine`; empty: on this machine."""
    limits: Annotated[float, msgspec.Meta(ge=1)] = 1.0
    """What the limits on a model's files are multiplied with: 10 raises all of them tenfold."""
    state_folder: str = ""
    """Where sessions are kept; empty: the system's folder for a user's state."""
    lists: tuple[str, ...] = ()
    """Files of published lists of under-trained tokens, matched with every vocabulary that is shown."""
    encoder: str = ""
    """A sentence-transformers directory: neighbours are also compared by meaning."""


def settings_file() -> Path:
    """Where the settings file is looked for."""
    return user_config_path(APP) / "settings.toml"


def state_folder(settings: Settings) -> Path:
    """The folder of the recorded sessions."""
    return Path(settings.state_folder).expanduser() if settings.state_folder else user_state_path(APP)


def load_request(source: str, settings: Settings) -> LoadModel:
    """The request that loads `source` as the settings want it."""
    request = LoadModel(
        source=source,
        dtype=settings.dtype,
        device=settings.device,
        allow_pickle=settings.allow_pickle,
        tokenizer=settings.tokenizer,
        chat_day=settings.chat_day,
    )
    return with_server(request, settings)


def with_server(request: LoadModel, settings: Settings) -> LoadModel:
    """`request` with what the settings say of the server that its source names, because the engine may run where they
    are not; as it is where it names none, or wrongly (the engine says what is wrong).

    The server's tokenizer is taken unless the request has one of its own.
    """
    try:
        found = find_server(request.source, settings.servers)
    except ExplorerError:
        return request
    if found is None:
        return request
    usual = request.tokenizer == settings.tokenizer
    return msgspec.structs.replace(
        request,
        source=str(found),
        server=msgspec.convert(msgspec.structs.asdict(found), Server),
        tokenizer=(found.tokenizer if usual else "") or request.tokenizer,
    )


def known_server(request: LoadModel, settings: Settings) -> LoadModel | None:
    """`request`, out of a session, as the settings say; None where it names a server that is not in them: a session
    does not decide to whom this program talks."""
    if not is_server(request.source):
        return request
    mine = {portable_source(each.source): each for each in _own_servers(settings)}
    found = mine.get(request.source)
    if found is None:
        return None
    return msgspec.structs.replace(request, source=found.source, server=found.server, tokenizer=found.tokenizer)


def _own_servers(settings: Settings) -> list[LoadModel]:
    """The loads of the servers in the settings and among the models given."""
    sources = [*(f"{NAMED}{each.name}" for each in settings.servers), *filter(is_server, settings.models)]
    return [load_request(source, settings) for source in sources]


def read_settings(
    path: Path | None = None, environment: Mapping[str, str] = os.environ, flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings from file, environment and `flags` (None values are not set).

    Raises `ExplorerError` naming the file and the key where one is wrong.
    """
    place = path or Path(environment.get(PREFIX + "SETTINGS") or settings_file())
    chosen = _from_file(place, required=path is not None) | _from_environment(environment)
    chosen |= {name: value for name, value in (flags or {}).items() if value is not None}
    return checked_settings(chosen, place)


def checked_settings(chosen: Mapping[str, Any], place: Path) -> Settings:
    """What was chosen in the file at `place` and elsewhere, as settings. Raises `ExplorerError` naming what is
    wrong."""
    try:
        settings = msgspec.convert(chosen, Settings, strict=False)
        for template in settings.templates:
            check_template(template)
        for server in settings.servers:
            check_server(server)
        _check_day(settings.chat_day)
    except (msgspec.ValidationError, TemplateError) as error:
        raise ExplorerError(
            f"settings: {error}", hint=f"Correct it in {place} or in the {PREFIX}… variables."
        ) from error
    engine_words(settings)
    return settings


def _check_day(day: str) -> None:
    """Raise `UsageError` for what is no date."""
    try:
        date.fromisoformat(day or "2026-11-28")
    except ValueError as error:
        hint = "Write --chat-day, or chat_day in the settings, as 2026-11-28."
        raise UsageError(f"{day!r} is no date", hint=hint) from error


def engine_words(settings: Settings) -> tuple[str, ...]:
    """The command that starts the engine, word by word; none where it is left to the program.

    Raises `ExplorerError` where it is not a command line.
    """
    try:
        return tuple(shlex.split(settings.engine))
    except ValueError as error:
        raise ExplorerError(
            f"the engine's command {settings.engine!r} cannot be read: {str(error)[:1].lower()}{str(error)[1:]}",
            hint="Correct --engine, or engine in the settings.",
        ) from error


def _from_file(path: Path, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if not required:
            return {}
        raise ExplorerError(f"there is no settings file {path}", hint="Leave out --settings, or make it.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ExplorerError(f"settings file {path}: {error}", hint="Correct the file, or move it away.") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        value = environment.get(PREFIX + field.name.upper())
        if value is None or field.name in ("keys", "templates", "servers"):
            continue
        chosen[field.name] = value.split() if field.name in ("models", "lists") else value
    return chosen
