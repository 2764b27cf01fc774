"""Makes docs/screen.svg: the real program on the zoo, driven by keys, at 120 columns by 40 lines.

.venv/bin/python docs/picture.py
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

from explorer.pipe.client import EngineClient
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp


async def main() -> None:
    """Start, filter, select a withheld token, have it repeated, take the picture."""
    folder = Path(tempfile.mkdtemp())
    os.environ["XDG_STATE_HOME"] = str(folder)  # not divided as whoever makes the picture left the window
    app = ExplorerApp(EngineClient(), SessionWriter(folder / "2026-11-20_picture.jsonl"), Settings())
    async with app.run_test(size=(120, 40)) as pilot:
        while len(app.selection.roster.models) < 4 or app.runs.running or app.selection.token is None:
            await pilot.pause(0.05)
        await pilot.press("g", *"907", "enter")
        await pilot.pause(0.5)
        await pilot.press("r")
        await pilot.pause(0.5)
        while app.runs.running:
            await pilot.pause(0.05)
        await pilot.pause(4)  # the last notification is gone
        picture = app.export_screenshot(title="glitch-explore")
    # The picture must not fetch fonts from anywhere.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    (Path(__file__).parent / "screen.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
