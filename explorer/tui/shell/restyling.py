"""Styling every widget anew, as another theme asks for, in half the time that Textual 8.2.8 takes.

Textual has no public way to hold marks back: `App.batch_update` holds back painting, which is not what takes the time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps

from textual.geometry import Region
from textual.widget import Widget

_log = logging.getLogger(__name__)
Restyle = Callable[..., None]


def marking_once(restyle: Restyle) -> Restyle:
    """`restyle`, in which a widget is marked for painting once. Textual marks all widgets inside a container again for
    each colour that the container is given (21,015 times for 315 widgets), and nothing is painted in between.

    `restyle` as it is, with a line in the log, where another version of Textual marks widgets in another way."""
    if "_set_dirty" not in vars(Widget):
        _log.warning("another theme takes twice the time: this version of Textual has no Widget._set_dirty")
        return restyle

    @wraps(restyle)
    def restyle_marking_once(*given: object, **named: object) -> None:
        marked: set[Widget] = set()
        mark = Widget._set_dirty

        def mark_first(widget: Widget, *regions: Region) -> None:
            if regions or widget not in marked:
                mark(widget, *regions)
            if not regions:
                marked.add(widget)

        Widget._set_dirty = mark_first  # type: ignore[method-assign, assignment]
        try:
            restyle(*given, **named)
        finally:
            Widget._set_dirty = mark  # type: ignore[method-assign]

    return restyle_marking_once
