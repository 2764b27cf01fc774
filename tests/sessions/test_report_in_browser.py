"""A report of a hostile session in a real browser: by the browser's own log no script ran and nothing was asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from explorer.sessions.file.reader import SessionFile
from explorer.sessions.report.page import write_report
from tests.sessions.example_sessions import HOSTILE, exchanges, write_session

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell")
HOST = "http://127.0.0.1:9/"
"""Nobody listens there; that it was asked for stands in the browser's log all the same."""
ATTACK = (
    f"<script>document.title='owned'; console.log('owned'); fetch('{HOST}fetch')</script>\">'>"
    f"<img src={HOST}image onerror=\"document.title='owned'\"><script src={HOST}script></script>"
    f"<link rel=stylesheet href={HOST}sheet><iframe src={HOST}frame></iframe><svg onload=\"document.title='owned'\">"
    f"<style>@import url({HOST}import); body {{ background: url({HOST}background) }}</style>"
    f"<meta http-equiv=refresh content='0;url={HOST}refresh'><base href={HOST}base>"
)
QUIET = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-default-apps", "--net-log-capture-mode=Everything",
    "--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom",
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """What a browser did with a page."""

    dom: str
    """The page as it stands after its scripts."""
    requested: set[str]
    """The addresses that the page had the browser ask for."""
    console: list[str]
    """What scripts wrote, and what the browser said of what it refused."""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser is here ({', '.join(BROWSERS)}), so the report is not opened in one")
    return found


def visit(browser: str, page: Path, folder: Path) -> Visit:
    log, root = folder / "net.json", ["--no-sandbox"] if os.geteuid() == 0 else []
    places = [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", page.as_uri()]
    done = subprocess.run([browser, *QUIET, *root, *places], capture_output=True, text=True, timeout=60, check=True)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Visit(done.stdout, requests_of_page(log), said)


def requests_of_page(log: Path) -> set[str]:
    """The addresses in the log that a page asked for; the browser's own errands have no page as their initiator."""
    events = json.loads(log.read_text())["events"]
    told = [event["params"] for event in events if "url" in event.get("params", {})]
    return {each["url"] for each in told if each.get("initiator", "not an origin") != "not an origin"}


@pytest.mark.parametrize("text", [ATTACK, HOSTILE], ids=["every way out", "hostile"])
def test_a_report_runs_no_script_and_asks_for_nothing(browser: str, tmp_path: Path, text: str) -> None:
    session = write_session(tmp_path / "s.jsonl", exchanges(text), title=text)
    write_report(SessionFile(session), tmp_path / "report.html")
    seen = visit(browser, tmp_path / "report.html", tmp_path)
    assert "owned" in seen.dom, "the attack is not in the page"
    assert "<title>owned</title>" not in seen.dom
    assert "<script" not in seen.dom
    assert (seen.requested, seen.console) == (set(), [])


def test_the_log_tells_what_an_unguarded_page_does(browser: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<!doctype html><title>x</title><body>{ATTACK}")
    seen = visit(browser, tmp_path / "page.html", tmp_path)
    assert {f"{HOST}fetch", f"{HOST}image"} <= seen.requested
    assert any("owned" in line for line in seen.console)
