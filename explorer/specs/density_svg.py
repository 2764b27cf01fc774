"""How many tokens lie where, as an SVG picture: cells of one colour and density are one path. Pure text."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.base.ticks import axis_ticks, tick_texts
from explorer.specs.blocks import Density, Point
from explorer.specs.picture import CLASS_INKS, HEIGHT, MARGIN, NO_VALUE, RAMP, WIDTH

_OPACITY = (0.35, 0.5, 0.65, 0.8, 1.0)
"""Of a cell with 1 token, and of those with ever more: each step is `_DENSITY_STEP` times as many."""
_DENSITY_STEP = 4
"""Steps of density (each √2 times as many tokens) that share an opacity."""
_TICKS = 6
Run = tuple[int, int, int]
"""Row, first column, number of columns."""


@dataclass(frozen=True)
class Frame:
    """Where the cells stand in the picture."""

    left: float
    top: float
    width: float
    height: float
    window: tuple[float, float, float, float]

    @classmethod
    def around(cls, density: Density) -> Frame:
        """All the room that there is, or as much of it as leaves units equally long."""
        width, height = WIDTH - 2.0 * MARGIN, HEIGHT - 2.25 * MARGIN
        left, right, bottom, top = density.window
        if density.is_round:
            unit = min(width / (right - left), height / (top - bottom))
            width, height = unit * (right - left), unit * (top - bottom)
        return cls(
            (WIDTH - width) / 2, 0.6 * MARGIN + (HEIGHT - 2.25 * MARGIN - height) / 2, width, height, density.window
        )

    def shows(self, point: Point) -> bool:
        """Whether it lies in the window."""
        left, right, bottom, top = self.window
        return left <= point.x <= right and bottom <= point.y <= top

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point of the plane in units of the picture."""
        left, right, bottom, top = self.window
        return (
            self.left + (x - left) / (right - left) * self.width,
            self.top + (top - y) / (top - bottom) * self.height,
        )

    def ticks(self) -> str:
        """Numbers along both axes."""
        left, right, bottom, top = self.window
        across, up = axis_ticks(left, right, _TICKS), axis_ticks(bottom, top, _TICKS)
        below = self.top + self.height + 12
        texts = [
            (self.place(x, bottom)[0], below, "middle", said)
            for x, said in zip(across, tick_texts(across), strict=True)
        ]
        texts += [
            (self.left - 4, self.place(left, y)[1] + 4, "end", said) for y, said in zip(up, tick_texts(up), strict=True)
        ]
        return "".join(
            f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{said}</text>'
            for x, y, anchor, said in texts
        )


def density_svg(density: Density, frame: Frame) -> str:
    """The cells: a path for each colour and opacity, in which cells side by side are one rectangle."""
    across, down = frame.width / density.columns, frame.height / density.rows
    inks, paths = CLASS_INKS if density.is_classed else (*RAMP, NO_VALUE), []
    for (colour, opacity), runs in sorted(_runs(density).items()):
        drawn = "".join(
            f"M{frame.left + first * across:.1f} {frame.top + row * down:.1f}{_box(number * across, down)}"
            for row, first, number in runs
        )
        paths.append(f'<path fill="{inks[colour]}" fill-opacity="{_OPACITY[opacity]}" d="{drawn}"/>')
    return "".join(paths)


def _box(width: float, height: float) -> str:
    return f"h{width:.1f}v{height:.1f}h{-width:.1f}z"


def _runs(density: Density) -> dict[tuple[int, int], list[Run]]:
    """Cells side by side that look the same, by colour and opacity."""
    runs: dict[tuple[int, int], list[Run]] = {}
    for row in range(density.rows):
        codes = density.codes[row * density.columns : (row + 1) * density.columns]
        first = 0
        while first < len(codes):
            look, last = _look(codes[first]), first + 1
            while last < len(codes) and _look(codes[last]) == look:
                last += 1
            if look is not None:
                runs.setdefault(look, []).append((row, first, last - first))
            first = last
    return runs


def _look(code: int) -> tuple[int, int] | None:
    """Colour and opacity of a cell; None where nobody is."""
    if not code:
        return None
    return (code - 1) % 8, min(len(_OPACITY) - 1, (code - 1) // 8 // _DENSITY_STEP)
