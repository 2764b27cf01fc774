"""What the screen is told of the memory that the engine holds."""

from typing import Any

from explorer.base.records.models import DeviceMemory, Roster
from explorer.engine.server import MEMORY_STEP, RosterTeller
from explorer.pipe.frames import RosterChanged


class Heard:
    """Stands for the pipe to the screen."""

    def __init__(self) -> None:
        self.used: list[int] = []

    def write(self, envelope: Any) -> None:
        assert isinstance(envelope, RosterChanged)
        self.used.append(envelope.roster.devices[0].used)


def test_memory_is_told_again_once_it_changed_by_as_much_as_shows() -> None:
    heard, held = Heard(), 2**31

    def state() -> Roster:
        return Roster(models=(), devices=(DeviceMemory(device="cpu", used=held, free=1, total=2**34),))

    teller = RosterTeller(state, heard)  # type: ignore[arg-type]
    teller.tell()
    teller.look()
    held += MEMORY_STEP - 1
    teller.look()
    assert heard.used == [2**31]
    held += 1
    teller.look()
    held -= 2**29
    teller.look()
    teller.tell()
    assert heard.used == [2**31, 2**31 + MEMORY_STEP, held, held]
