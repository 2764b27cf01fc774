"""Published lists named in the settings: matched with the vocabulary before it is shown, and told."""

from __future__ import annotations

import asyncio
from pathlib import Path

from explorer.base.records.token_lists import MatchTokenList, TokenListMatched
from explorer.base.records.vocabulary import VocabularyColumns
from explorer.engine.handlers import Engine
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from tests.app_driver import asked, on_screen, settled, until
from tests.direct_client import DirectClient


def test_the_lists_of_the_settings_flag_tokens_and_a_missing_one_is_told(tmp_path: Path) -> None:
    engine = Engine()
    vocabulary = engine.models.load("weights:zoo:mynah").vocabulary
    listed = tmp_path / "published.csv"
    listed.write_text(f"token_id,token\n907,{vocabulary.text(907)}\n725,{vocabulary.text(725)}\n", encoding="utf-8")
    settings = Settings(models=("weights:zoo:mynah",), lists=(str(listed), str(tmp_path / "absent.md")))

    async def work() -> None:
        app = ExplorerApp(DirectClient(engine), SessionWriter(tmp_path / "s.jsonl"), settings)  # type: ignore[arg-type]
        async with on_screen(app, (120, 40)) as pilot:
            await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
            await settled(pilot)
            (match,) = asked(app, MatchTokenList)
            assert isinstance(match.outcome, TokenListMatched)
            assert (match.outcome.matched, match.outcome.used) == (2, True)
            read = app.models.vocabularies["mynah(weights)"].outcome
            assert isinstance(read, VocabularyColumns)
            assert read.flags["published"].numpy().nonzero()[0].tolist() == [725, 907]
            assert [found.name for found in app.models.lists] == ["published.csv"]
            assert any("absent.md" in notice.message for notice in app._notifications)

    asyncio.run(work())
