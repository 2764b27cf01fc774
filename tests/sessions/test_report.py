"""The report: readable, complete, in one piece, and harmless whatever stands in the session."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt

from explorer.base.errors import ExplorerError
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.notes import WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.verification import CallCurve, IndicatorScore, VerificationResult, Verify
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.report.markdown import markdown_paragraph, markdown_report, markdown_text
from explorer.sessions.report.page import html_report, write_report
from explorer.specs.neighbours import plot
from explorer.specs.picture import NO_VALUE, RAMP
from explorer.specs.plot_svg import plot_svg
from explorer.specs.verdict_curves import curves_chart
from explorer.tui.panes.neighbours.view import GLYPHS, NO_VALUE_GLYPH, scatter
from explorer.tui.widgets.plot import Palette
from tests.sessions.example_sessions import HOSTILE, exchanges, neighbourhood, write_session

PLAIN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "dl", "dt", "dd", "div", "table", "thead",
    "tbody", "tr", "th", "td", "nav", "ol", "li", "a", "section", "h2", "time", "p", "blockquote", "figure", "svg",
    "rect", "path", "circle", "polyline", "line", "text", "span", "footer", "caption",
}  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


NORM = "input_norm"
ASKED = FindNeighbours(model="mynah", token_id=742)


def page(folder: Path, text: str) -> str:
    return "".join(html_report(SessionFile(write_session(folder / "s.jsonl", exchanges(text), title=text))))


class Tags(HTMLParser):
    """Every tag and attribute of a page, as a browser would see them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}
        if tag != "meta" and tag not in ("rect",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("text", [" the", HOSTILE])
def test_a_session_cannot_put_a_tag_or_an_attribute_into_the_page(tmp_path: Path, text: str) -> None:
    source = page(tmp_path, text)
    seen = Tags(source)
    assert seen.tags <= PLAIN_TAGS
    assert seen.open == []
    names = {name for name, _ in seen.attributes}
    assert not any(name.startswith("on") or name in ("src", "style", "srcset", "action") for name in names)
    assert all(re.fullmatch(r"#step-\d+", value) for name, value in seen.attributes if name == "href")
    assert "default-src 'none'" in source
    assert not CONTROL.search(source)


def test_hostile_and_plain_sessions_have_pages_of_one_structure(tmp_path: Path) -> None:
    skeletons = []
    for place, text in enumerate((HOSTILE.replace("\n", ""), "plain")):
        (tmp_path / str(place)).mkdir()
        tags = re.findall(r"<(/?[a-z]\w*)", page(tmp_path / str(place), text))
        skeletons.append([tag for tag in tags if tag not in ("text", "/text")])  # long labels find no room
    assert skeletons[0] == skeletons[1]


def test_every_step_has_its_section_with_its_numbers(tmp_path: Path) -> None:
    source = page(tmp_path, " the")
    for number in range(1, len(exchanges()) + 1):
        assert f'id="step-{number}"' in source
    assert "-1.410 / 24.41%" in source
    assert "-inf / 0%" in source
    assert "<svg" in source
    assert "mynah" in source


def test_tokens_are_made_visible(tmp_path: Path) -> None:
    source = page(tmp_path, "a\x1b[31m\u202eb\u200d c")
    assert "a\\u{1b}[31m\\u{202e}b\\u{200d}·c" in source


def test_markdown_says_the_same_and_nothing_in_it_is_markup(tmp_path: Path) -> None:
    session = SessionFile(write_session(tmp_path / "s.jsonl", exchanges(HOSTILE)))
    write_report(session, tmp_path / "out.md")
    text = (tmp_path / "out.md").read_text()
    assert "-1.410 / 24.41%" in text
    assert "<" not in text
    assert not CONTROL.search(text)
    for line in text.splitlines():
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)(?:\\\\)*\|", line)
            assert cells[0] == cells[-1].strip() == ""
    assert not re.search(r"(?<!\\)[\[\]`*~$]", text.replace("**", ""))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain 1.5 (x)", "plain 1.5 (x)"), ("a_b *c* `d`", r"a\_b \*c\* \`d\`"), ("<b> & c", "&lt;b&gt; &amp; c"),
        ("see http://x.y", r"see http:\//x.y"), ("[a](b)|c", r"\[a\](b)\|c"), ("back\\slash", r"back\\slash"),
    ],
)  # fmt: skip
def test_markdown_text_is_literal(text: str, written: str) -> None:
    assert markdown_text(text) == written


@pytest.mark.parametrize(("text", "written"), [("1. x", r"1\. x"), ("- x", r"\- x"), ("# x", r"\# x"), ("1x", "1x")])
def test_a_paragraph_is_no_list_and_no_heading(text: str, written: str) -> None:
    assert markdown_paragraph(text) == written


@pytest.mark.parametrize(
    "text", [" # heading", "   ## h ##", "  - item", "  1) list", "   ---", "    code <b>", " > q", "  ~~~", "   +"]
)
def test_spaces_before_it_bring_no_markup_to_life(text: str) -> None:
    for written in (markdown_paragraph(text), f"> {markdown_paragraph(text)}"):
        tags = set(re.findall(r"</?(\w+)", MarkdownIt().render(written)))
        assert tags <= {"p", "blockquote"}


def test_a_report_is_refused_for_other_endings_and_over_the_session_itself(tmp_path: Path) -> None:
    session = SessionFile(write_session(tmp_path / "s.md", exchanges()))
    for name, said in (
        ("out.pdf", "html or .md"),
        ("s.md", "the session itself"),
        ("no/folder/x.html", "No such file"),
    ):
        with pytest.raises(ExplorerError, match=said):
            write_report(session, tmp_path / name)
    assert len(SessionFile(tmp_path / "s.md")) == len(exchanges())


def test_a_damaged_and_torn_session_still_gives_a_report(tmp_path: Path) -> None:
    path = write_session(tmp_path / "s.jsonl", exchanges())
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    path.write_bytes(b"".join([*lines[:2], b"nonsense\n", *lines[3:], b'{"torn']))
    source = "".join(html_report(SessionFile(path)))
    assert "line 3 is damaged" in source
    assert "is torn" in source


def test_points_without_a_place_and_points_all_in_one_make_a_picture(tmp_path: Path) -> None:
    for distances in ((), (0.0, 0.0), (float("nan"), 0.5), (float("inf"), 0.1), (1e99, 1e-99)):
        svg = plot_svg(plot(ASKED, neighbourhood(distances=distances)))
        assert "nan" not in re.sub(r"<title>.*?</title>", "", svg)
        assert "inf" not in re.sub(r"<title>.*?</title>", "", svg)


def test_the_picture_has_the_colour_the_axes_and_the_ramp_of_the_screen() -> None:
    member = neighbourhood().subject
    placed = [
        msgspec.structs.replace(member, x=float(place), y=float(place), indicators={"output_norm": value})
        for place, value in enumerate((1.0, 4.5, 8.0))
    ]
    record = msgspec.structs.replace(
        neighbourhood(), subject=placed[0], neighbours=(*placed[1:], msgspec.structs.replace(member, indicators={})),
        variance=(0.381, 0.203),
        indicator_ranges={"input_norm": (0.0, 0.5, 1.0), "output_norm": (1.0, 2.0, 8.0)},
    )  # fmt: skip
    asked = msgspec.structs.replace(ASKED, colour="output_norm")
    svg = plot_svg(plot(asked, record))
    assert "PC1 38.1 % · PC2 ↑ 20.3 % · colour: output_norm, ≤1 (dark) – 2 – ≥8 (light)" in svg
    assert re.findall(r'fill="([^"]+)"', svg) == [RAMP[0], RAMP[3], RAMP[6], NO_VALUE]
    drawing = scatter(plot(asked, record), record)(
        60, 20, Palette((0, 0, 0), (0, 0, 0), (0, 0, 0), tuple((n, n, n) for n in range(7)))
    )
    assert (drawing.x_title, drawing.y_title) == ("PC1 38.1 %", "PC2 ↑ 20.3 %")
    assert sorted(point.glyph for point in drawing.points) == sorted(("◆", GLYPHS[3], GLYPHS[6], NO_VALUE_GLYPH))


def test_labels_in_the_picture_do_not_overlap() -> None:
    svg = plot_svg(plot(ASKED, neighbourhood("word", tuple(0.01 * place for place in range(1, 40)))))
    boxes = [
        (float(x), float(y), len(name) * 7.0) for x, y, name in re.findall(r'<text x="([^"]+)" y="([^"]+)">(\w+)<', svg)
    ]
    assert len(boxes) > 2
    for one, (x, y, width) in enumerate(boxes):
        for other_x, other_y, other_width in boxes[one + 1 :]:
            apart = x + width <= other_x or other_x + other_width <= x or abs(y - other_y) >= 13.9
            assert apart


def swept(**curves: tuple[tuple[float, float], ...]) -> VerificationResult:
    """A verification with curves of one definition."""
    kept = {"roc": ((0.0, 0.0), (0.25, 0.5), (1.0, 1.0)), "precision_recall": ((0.0, 1.0), (1.0, 0.5))} | curves
    name = "glitchminer-strict-and-more"
    score = IndicatorScore(
        indicator=NORM, definition=name, low_is_suspicious=True, roc_auc=0.625, average_precision=0.75
    )
    curve = CallCurve(indicator=NORM, definition=name, **kept)
    return VerificationResult(model="mynah", tokens=9, definitions=(), pairs=(), indicators=(score,), curves=(curve,))


def test_a_report_shows_the_curves_that_a_replay_shows(tmp_path: Path) -> None:
    session = SessionFile(write_session(tmp_path / "s.jsonl", [(Verify(model="mynah"), swept())]))
    source = "".join(html_report(session))
    (chart,) = re.findall(r'<svg class="chart".*?</svg>', source)
    assert f"how well {NORM} foretells what definitions call" in chart
    assert {"glitchminer-strict-an… · ROC-AUC 0.625", "glitchminer-strict-an… · average precision 0.750"} <= set(
        re.findall(r">([^<>]+)</text>", chart)
    )
    roc, precision = (
        [tuple(map(float, place.split(","))) for place in points.split()]
        for points in re.findall(r'points="([^"]+)"', chart)
    )
    (left, bottom), middle, (right, top) = roc
    assert middle == pytest.approx((left + 0.25 * (right - left), (bottom + top) / 2))
    assert precision[0][0] > right, "beside the other"
    assert precision[0][1] == top
    assert "svg" not in "".join(markdown_report(session))


@pytest.mark.parametrize("far", [1e300, -1e300])
def test_curves_stay_in_their_panels_and_one_without_points_leaves_its_panel_empty(far: float) -> None:
    chart = curves_chart(swept(roc=((far, -far), (0.5, far)), precision_recall=((0.0, 1.0),)))
    assert chart is not None
    assert [len(panel.curve) for panel in chart.panels] == [2, 0]
    assert all(0 <= number <= 1 for point in chart.panels[0].curve for number in point)
    assert curves_chart(swept(roc=(), precision_recall=())) is None


# ── in a browser ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def chromium() -> str:
    """A browser without a window; skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed: the report is not looked at in a browser")
    return found


def browse(chromium: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'chromium'}",
    ]
    return subprocess.run([chromium, *flags, *words], capture_output=True, text=True, timeout=120, check=True)


def test_a_hostile_session_runs_no_script_in_a_browser(chromium: str, tmp_path: Path) -> None:
    pairs = [*exchanges(HOSTILE), (WriteNote(text=HOSTILE * 20), Failure(message=HOSTILE))]
    session = SessionFile(write_session(tmp_path / "s.jsonl", pairs, title="harmless"))
    write_report(session, tmp_path / "report.html")
    done = browse(chromium, tmp_path, "--dump-dom", (tmp_path / "report.html").as_uri())
    assert "<title>harmless</title>" in done.stdout  # the strings try to set it to 'owned'
    assert "<script" not in done.stdout
    assert "<img" not in done.stdout
    assert done.stdout.count("<section") == len(pairs)


def test_the_browser_would_have_run_such_a_script(chromium: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<!doctype html><title>harmless</title>{HOSTILE}")
    done = browse(chromium, tmp_path, "--dump-dom", (tmp_path / "page.html").as_uri())
    assert "<title>owned</title>" in done.stdout


@pytest.mark.parametrize("width", [1100, 420])
def test_a_page_is_drawn_and_is_no_wider_than_the_window(chromium: str, tmp_path: Path, width: int) -> None:
    write_report(SessionFile(write_session(tmp_path / "s.jsonl", exchanges(HOSTILE))), tmp_path / "report.html")
    source = (tmp_path / "report.html").read_text()
    measured = source.replace("script-src", "").replace(
        "</body>", "<script>document.title = document.documentElement.scrollWidth</script></body>"
    )
    (tmp_path / "measured.html").write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", measured))
    words = (f"--window-size={width},900", f"--screenshot={tmp_path / 'shot.png'}")
    done = browse(chromium, tmp_path, *words, "--dump-dom", (tmp_path / "measured.html").as_uri())
    browse(chromium, tmp_path, *words, (tmp_path / "report.html").as_uri())
    assert (tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")
    assert int(re.findall(r"<title>(\d+)</title>", done.stdout)[0]) <= max(width, 500)
