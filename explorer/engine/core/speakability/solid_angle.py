"""How large is the region where a token wins: the share of directions x in which it does (no bias).

For standard normal x the share is P(w_t·x > w_j·x for all j). Common tokens: count winners of random directions, for
all tokens at once. Rare ones: multilevel splitting. The regions {w_t·x − w_j·x ≥ −L for all j} shrink with L to the
wanted one; half of a population survives each level, is doubled, and is moved about inside by exact Hamiltonian
dynamics: a member goes round an ellipse, x cos t + v sin t, and is reflected by the walls it meets (Pakman, Paninski:
Exact Hamiltonian Monte Carlo for Truncated Multivariate Gaussians, JCGS 2014). Independent populations give the
standard error.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from explorer.engine.core.speakability.rows import Rows

SURVIVE = 0.5
CANDIDATES = 2048
"""Rivals that hold the members in while they move, the nearest ones; a move that another rival forbids is undone."""
MULTIPLIED = 4096
"""Up to so many walls are all multiplied with each other once; of more only those that are met, when they are."""
MOST_BOUNCES = 500
REFUSED = 0.2
"""Share of undone moves above which more rivals are held."""


@dataclass(frozen=True)
class SolidAngle:
    """The share of directions, as a decimal logarithm."""

    log10: float
    stderr: float
    """Standard error of `log10`, from independent populations."""
    levels: int
    found: bool = True
    """False where the search stopped at the floor: the share is below 10^log10."""


def solid_angle(
    rows: Rows | Float[np.ndarray, "vocab d_model"],
    token_id: int,
    *,
    mean_zero: bool = False,
    populations: int = 8,
    members: int = 64,
    trips: int = 2,
    seed: int = 0,
    floor: float = -300.0,
    device: torch.device | str = "cpu",
) -> Generator[float, None, SolidAngle]:
    """Estimate the share of directions in which the token wins; `mean_zero`: of those whose entries sum to 0.

    Yields log10 of the share of the region reached so far, so that a caller may stop, and returns the estimate. For a
    token that wins nowhere it goes down to `floor`: ask whether it is speakable first.
    """
    ladder = _Ladder(Rows.of(rows), token_id, mean_zero, populations, members, seed, torch.device(device))
    while not ladder.done and ladder.reached > floor:
        ladder.descend()
        yield ladder.reached
        if not ladder.done:
            yield from ladder.move(trips)
    return ladder.result()


class _Ladder:
    """The populations on their way down the levels."""

    def __init__(
        self,
        rows: Rows,
        token_id: int,
        mean_zero: bool,
        populations: int,
        members: int,
        seed: int,
        device: torch.device,
    ) -> None:
        if len(rows) < 2:
            raise ValueError("a share of directions needs at least two rows")
        self._gaps = _gaps(rows, token_id, mean_zero).to(device)
        self._random = torch.Generator(device=device).manual_seed(seed)
        self._groups, self._members = populations, members
        self._x = self._normal()
        self._leads = self._least_leads(self._x)
        self._level = math.inf
        self._held = CANDIDATES
        self._logs = torch.zeros(populations, dtype=torch.float64)
        self.levels = 0
        self.done = False

    @property
    def reached(self) -> float:
        """log10 of the share of the present region."""
        return float((torch.logsumexp(self._logs, 0) - math.log(self._groups)) / math.log(10))

    def descend(self) -> None:
        """Go to the next level: the populations' survivors are counted and doubled."""
        kept = max(1, int(len(self._x) * (1 - SURVIVE)))
        least = float(self._leads.kthvalue(kept).values)
        self._level = max(0.0, -least)
        self.done = least >= 0
        # The member that sets a level is not counted inside it: each level's share would be too large by one member.
        inside = self._leads >= 0 if self.done else self._leads > -self._level
        alive = inside.view(self._groups, self._members)
        self._logs += torch.log(alive.double().mean(dim=1)).cpu()
        self.levels += 1
        if not self.done:
            self._double(alive)

    def _double(self, alive: Bool[Tensor, "populations members"]) -> None:
        """Fill each population with copies of its survivors; one without any gets none of the others' and is over."""
        chance = alive.double()
        chance[~alive.any(dim=1)] = 1.0
        chosen = torch.multinomial(chance, self._members, replacement=True, generator=self._random)
        at = (chosen + self._members * torch.arange(self._groups, device=chosen.device)[:, None]).flatten()
        stray = ~alive.flatten()[at]
        if bool(stray.any()):
            # Anywhere inside will do for the populations whose estimate is 0 from here on.
            at[stray] = int(torch.nonzero(alive.flatten())[0])
        self._x, self._leads = self._x[at], self._leads[at]

    def move(self, trips: int) -> Generator[float, None, None]:
        """Move every member inside the present region, by `trips` trajectories one after another."""
        start, leads = self._x, self._leads
        walls = _Walls(self._nearest())
        moving = self._x
        fine = torch.ones(len(moving), dtype=torch.bool, device=moving.device)
        for _ in range(trips):
            trip = _Trip(moving, self._normal(), walls, self._level, self._times())
            while trip.bounce():
                yield self.reached
            moving = torch.where(trip.arrived[:, None], trip.x, moving)
        after = self._least_leads(moving)
        fine = after > -self._level
        self._x = torch.where(fine[:, None], moving, start)
        self._leads = torch.where(fine, after, leads)
        if float((~fine).float().mean()) > REFUSED:
            self._held = min(2 * self._held, len(self._gaps))

    def _times(self) -> Float[Tensor, " n"]:
        """How far each member goes: a quarter of the ellipse, or up to half of that less."""
        share = torch.rand(len(self._x), generator=self._random, device=self._x.device)
        return (0.5 + 0.5 * share) * (math.pi / 2)

    def _nearest(self) -> Float[Tensor, "held d_model"]:
        """Gaps to the rivals that come nearest to forbidding a member."""
        if self._held >= len(self._gaps):
            return self._gaps
        least = torch.full((len(self._gaps),), math.inf, device=self._x.device)
        for part in _parts(self._x):
            least = torch.minimum(least, (self._gaps @ part.T).amin(dim=1))
        return self._gaps[torch.topk(least, self._held, largest=False).indices]

    def _least_leads(self, x: Float[Tensor, "n d_model"]) -> Float[Tensor, " n"]:
        """Each member's lead over its nearest rival."""
        return torch.cat([(part @ self._gaps.T).amin(dim=1) for part in _parts(x)])

    def _normal(self) -> Float[Tensor, "n d_model"]:
        shape = (self._groups * self._members, self._gaps.shape[1])
        return torch.randn(shape, generator=self._random, device=self._gaps.device)

    def result(self) -> SolidAngle:
        """The mean over the populations, with its standard error by leaving one out at a time; or by the spread of the
        logarithms, where that is greater: then one population makes up most of the mean, and the rest tell little."""
        logs, count = self._logs, self._groups
        if count < 2:
            return SolidAngle(self.reached, math.nan, self.levels, self.done)
        others = torch.stack([torch.logsumexp(logs[torch.arange(count) != left], 0) for left in range(count)])
        spread = float(((others - others.mean()) ** 2).sum() * (count - 1) / count) ** 0.5
        lasting = logs[torch.isfinite(logs)]
        if len(lasting) > 1:
            spread = max(spread, float(lasting.std()) / len(lasting) ** 0.5)
        return SolidAngle(self.reached, spread / math.log(10), self.levels, self.done)


def _parts(x: Float[Tensor, "n d_model"]) -> tuple[Float[Tensor, "part d_model"], ...]:
    return torch.tensor_split(x, max(1, len(x) // 256))


class _Walls:
    """The walls {row·x = −level}, and their products."""

    def __init__(self, rows: Float[Tensor, "held d_model"]) -> None:
        self.rows = rows
        self.squares = rows.square().sum(dim=1)
        self._products = rows @ rows.T if len(rows) <= MULTIPLIED else None

    def products(self, met: Int64[Tensor, " n"]) -> Float[Tensor, "n held"]:
        """Of these walls with all."""
        if self._products is not None:
            return self._products[met]
        distinct, place = torch.unique(met, return_inverse=True)
        return (self.rows[distinct] @ self.rows.T)[place]


class _Trip:
    """One trajectory of every member: round an ellipse, reflected by the walls {wall·x = −level}.

    A trajectory with too many reflections is given up; as its reverse has as many, this favours no place.
    """

    def __init__(
        self,
        x: Float[Tensor, "n d_model"],
        v: Float[Tensor, "n d_model"],
        walls: _Walls,
        level: float,
        times: Float[Tensor, " n"],
    ) -> None:
        self.x, self.arrived = x.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
        self._walls, self._level = walls, level
        self._at, self._v, self._left = x, v, times
        self._who = torch.arange(len(x), device=x.device)
        self._height, self._speed = x @ walls.rows.T, v @ walls.rows.T
        self._bounces = 0

    def bounce(self) -> bool:
        """Go on to the next wall or the end; whether any member is still under way."""
        meeting, wall = self._next_wall().min(dim=1)
        time = torch.minimum(meeting, self._left)[:, None]
        cosine, sine = torch.cos(time), torch.sin(time)
        self._at, self._v = self._at * cosine + self._v * sine, self._v * cosine - self._at * sine
        done = meeting >= self._left
        self.x[self._who[done]] = self._at[done]
        self.arrived[self._who[done]] = True
        on = ~done
        self._bounces += 1
        if self._bounces > MOST_BOUNCES or not bool(on.any()):
            return False
        height, speed, cosine, sine = self._height[on], self._speed[on], cosine[on], sine[on]
        self._height, self._speed = height * cosine + speed * sine, speed * cosine - height * sine
        self._who, self._at, self._v, wall = self._who[on], self._at[on], self._v[on], wall[on]
        self._left = self._left[on] - time[on, 0]
        into = 2 * self._speed.gather(1, wall[:, None]) / self._walls.squares[wall, None]
        self._v = self._v - into * self._walls.rows[wall]
        self._speed = self._speed - into * self._walls.products(wall)
        return True

    def _next_wall(self) -> Float[Tensor, "n held"]:
        """When each member leaves each wall's good side: height · cos t + speed · sin t falls below −level."""
        length = torch.hypot(self._height, self._speed)
        top = torch.atan2(self._speed, self._height)
        when = torch.remainder(top + torch.acos((-self._level / length.clamp_min(1e-30)).clamp(min=-1.0)), 2 * math.pi)
        return torch.where(length > self._level, when, torch.inf)


def _gaps(rows: Rows, token_id: int, mean_zero: bool) -> Float[Tensor, "others d_model"]:
    """w_t − w_j for every other j, the last one in the place of t, divided by their mean length; projected to entries
    that sum to 0, if `mean_zero`."""
    own, gaps = rows[token_id], torch.empty(rows.shape, dtype=torch.float32)

    def parts() -> Iterator[tuple[slice, Float64[np.ndarray, "part d_model"]]]:
        for place, part in rows.parts():
            apart = own - part
            yield place, apart - apart.mean(axis=1, keepdims=True) if mean_zero else apart

    total = sum(float(np.linalg.norm(apart, axis=1).sum()) for _, apart in parts())
    scale = total / (len(rows) - 1) or 1.0
    for place, apart in parts():
        gaps[place] = torch.from_numpy(apart / scale)
    gaps[token_id] = gaps[-1]
    return gaps[:-1]


def winners(
    rows: Rows | Float[np.ndarray, "vocab d_model"],
    draws: int,
    *,
    mean_zero: bool = False,
    seed: int = 0,
    batch: int = 128,
    device: torch.device | str = "cpu",
) -> Generator[Int64[np.ndarray, " vocab"], None, None]:
    """Count how often each token wins among random directions; yields the counts so far after each batch.

    A token with count c of n has share c/n with standard error √(c (1 − c/n)) / n.
    """
    rows = Rows.of(rows)
    table = torch.empty(rows.shape, dtype=torch.float32)
    for place, part in rows.parts():
        apart = part - rows.mean
        table[place] = torch.from_numpy(apart - apart.mean(axis=1, keepdims=True) if mean_zero else apart)
    columns = table.to(device)
    random = torch.Generator(device=columns.device).manual_seed(seed)
    counts = torch.zeros(len(columns), dtype=torch.int64, device=columns.device)
    for start in range(0, draws, batch):
        x = torch.randn(min(batch, draws - start), columns.shape[1], generator=random, device=columns.device)
        counts += torch.bincount((x @ columns.T).argmax(dim=1), minlength=len(columns))
        yield counts.cpu().numpy().copy()
