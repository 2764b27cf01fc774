"""Which models are the child, its candidate bases, and strangers of those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.content import Content

from explorer.base.text import visible
from explorer.tui.widgets.option_line import Ticks
from explorer.tui.widgets.prompt_lines import MUTED

Role = Literal["child", "base", "reference", "not asked"]
ROLES: tuple[Role, ...] = ("child", "base", "reference", "not asked")
_MARKS: dict[Role, tuple[str, str]] = {
    "child": ("child", "bold $accent"),
    "base": ("base", "$foreground"),
    "reference": ("ref", "$warning"),
    "not asked": ("–", MUTED),
}
"""What stands before a name, and its style."""


class RoleTicks(Ticks):
    """Names in a row, each with one role: x, enter, space or a click gives it the next one. Until one is given by hand,
    the shown model is the child and all others are bases."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("x,enter,space", "tick", "role")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._given: dict[str, Role] = {}
        self._shown = ""

    def offer(self, names: Sequence[str], *, shown: str, empty: str = "") -> None:
        """Offer `names`; `shown`: the model whose vocabulary is in the table; `empty`: what is said without any."""
        self.set_names(names, empty=empty)
        if shown != self._shown:
            self._shown = shown
            self._draw_anew()

    def give(self, roles: dict[str, Role]) -> None:
        """Give roles, as by hand; every other name is not asked."""
        self._given = dict.fromkeys(self._names, "not asked")
        self._given.update(roles)
        self._draw_anew()

    def in_role(self, role: Role) -> tuple[str, ...]:
        """The names with that role, in order."""
        return tuple(name for name in self._names if self._role(name) == role)

    def action_tick(self) -> None:
        """Give the name under the cursor the next role."""
        name = self._names[self._at]
        self._given[name] = ROLES[(ROLES.index(self._role(name)) + 1) % len(ROLES)]
        self._draw_anew()
        self.post_message(self.Changed())

    def _role(self, name: str) -> Role:
        return self._given.get(name) or ("child" if name == self._shown else "base")

    def _draw_anew(self) -> None:
        self._layouts.clear()
        self.refresh(layout=True)

    def _label(self, index: int) -> Content:
        name = self._names[index]
        mark, style = _MARKS[self._role(name)]
        label = Content.assemble((f"{mark} ", style), (visible(name, spaces=False), style))
        return label.stylize("reverse") if self.has_focus and index == self._at else label
