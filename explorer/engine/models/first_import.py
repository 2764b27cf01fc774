"""The first import of transformers takes seconds, and must be made by one thread alone: at its end it puts another
module in its own place, and a thread that waits for it meanwhile goes on with the empty one ("cannot import name
'AutoConfig'"). So it has a thread of its own; whoever needs it waits for that one, and hears a cancellation."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib import import_module

from explorer.engine.control import stop_if_cancelled

TRANSFORMERS = ("transformers",)
MODELLING = (*TRANSFORMERS, "transformers.models.auto.configuration_auto", "transformers.modeling_utils")
"""What every model is built with: four fifths of the time."""
LENS = (*MODELLING, "transformer_lens.model_bridge")
SENTENCES = (*MODELLING, "sentence_transformers")
_LOOK_SECONDS = 0.05
_alone = threading.Lock()
_imported: set[str] = set()
"""In `sys.modules` a module stands from the beginning of its import on."""


def import_heard(names: tuple[str, ...]) -> None:
    """Return once these modules are imported. Raises `Stopped` where the request at work is cancelled meanwhile; the
    import, which cannot be cut, goes on to its end behind it."""
    if _imported.issuperset(names):
        return
    thread = threading.Thread(target=_import, args=(names,), name="import", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_SECONDS)
        stop_if_cancelled()


def _import(names: tuple[str, ...]) -> None:
    with _alone, suppress(Exception):  # what it raises is raised again where the module is used
        for name in names:
            import_module(name)
            _imported.add(name)
