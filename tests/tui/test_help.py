"""The help lists every key that acts, wherever the focus is, and says what the words mean."""

from __future__ import annotations

from pathlib import Path

from textual.binding import Binding
from textual.widget import Widget

from explorer.specs.registry import REGISTRY
from explorer.tui.panes.base import Pane
from explorer.tui.screens.glossary import TERMS
from explorer.tui.screens.help import help_text
from explorer.tui.shell.commands import COMMANDS, key_name
from explorer.tui.shell.pane_keys import KINDS, pane_groups
from tests.replay_driver import replaying
from tests.tui.snapshot_samples import write_tour


def keys_of_textual(widget: Widget) -> set[str]:
    """Keys that a widget has by the classes of Textual that it derives from."""
    bases = (kind for kind in type(widget).__mro__ if kind.__module__.startswith("textual."))
    declared = [each for kind in bases for each in vars(kind).get("BINDINGS", ())]
    keys = [each.key if isinstance(each, Binding) else each[0] for each in declared]
    return {key.strip() for several in keys for key in several.split(",")}


async def test_every_key_of_every_pane_is_in_the_help(tmp_path: Path) -> None:
    async with replaying(write_tour(tmp_path / "tour.jsonl")) as (app, _):
        groups = pane_groups(app.query(Pane), REGISTRY.tabs())
        listed = {key for _, rows in groups for keys, _ in rows for key in keys.split()}
        seen = set()
        for pane in app.query(Pane):
            for widget in (each for each in (pane, *pane.query(Widget)) if each.can_focus):
                for key in set(widget._bindings.key_to_bindings) | set(pane._bindings.key_to_bindings):
                    if key not in keys_of_textual(widget):
                        assert key_name(key) in listed, (widget, key)
                        seen.add(key)
        assert {"ctrl+t", "w", "x", "o", "F", "ctrl+j", "left", "right", "enter"} <= seen
        assert {"tab", "shift+tab", "ctrl+p", "home", "end", "pgdn"} <= listed
        said = help_text({}, 76, COMMANDS, groups).plain
        for heading, rows in groups:
            assert heading in said
            assert all(keys in said for keys, _ in rows)
        assert not {heading for heading, _ in groups} & {kind.__name__ for kind in map(type, app.query(Widget))}


def test_widgets_of_several_panes_are_named_in_words() -> None:
    assert all(name[0].isupper() and heading.startswith(("In ", "On ")) for name, heading in KINDS.items())


def test_words_of_the_screen_are_explained() -> None:
    terms = {word for term, _ in TERMS for word in term.split(", ")}
    assert {
        "robust z", "swallowed by", "re-encodes to", "withheld", "under_trained", "ball", "box", "cone", "folded", "#0",
        "hard to speak", "speakable", "indicator", "category", "reference tokens", "control", "entropy", "logprob",
        "witness", "certificate", "lineage", "centroid", "definition", "template", "slot", "rank",
    } <= terms  # fmt: skip
