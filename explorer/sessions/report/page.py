"""A session as one page to read and to send round: HTML without scripts or network, or Markdown.

A session file is untrusted. Every text goes through `visible` and then through the escaping of the format it is
written in (jinja2's autoescape in HTML); the page forbids itself scripts and loading anything
(Content-Security-Policy) on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from explorer import __version__
from explorer.base.errors import ExplorerError
from explorer.base.files import write_whole
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.report.markdown import markdown_report
from explorer.sessions.report.section import header_facts, models_of_session, section_of, title_of
from explorer.specs.blocks import Plot, Quote, Words
from explorer.specs.chart_svg import chart_style, chart_svg
from explorer.specs.charts import Chart
from explorer.specs.models import models_table
from explorer.specs.picture import ON_WHITE
from explorer.specs.plot_svg import plot_svg, style_of

CONTENTS_UP_TO = 400
"""Steps; the list of contents of a longer session would be a page nobody reads."""
UNBROKEN = 32
"""Characters; a shorter cell stands on one line."""


def write_report(session: SessionFile, path: Path) -> None:
    """Write the report of `session` to `path`: HTML for `.html` and `.htm`, Markdown for `.md`.

    Raises `ExplorerError` for any other ending, for the session's own file, and where the file cannot be written.
    """
    makers = {".html": html_report, ".htm": html_report, ".md": markdown_report}
    maker = makers.get(path.suffix.lower())
    if maker is None:
        raise ExplorerError(f"{path.name}: a report is .html or .md", "Name the file accordingly.")
    if path.exists() and path.samefile(session.path):
        raise ExplorerError(f"{path.name} is the session itself", "Name another file.")
    session.index_all()
    try:
        write_whole(path, (piece.encode() for piece in maker(session)))
    except OSError as error:
        raise ExplorerError(f"{path.name}: {error.strerror or error}", "Choose another place.") from error


def html_report(session: SessionFile) -> Iterator[str]:
    """The page, piece by piece: a long session never stands in memory as a whole."""
    has_contents = 1 < len(session) <= CONTENTS_UP_TO
    return _template().generate(
        version=__version__,
        title=title_of(session),
        facts=header_facts(session),
        warning=session.warning,
        models=models_table(models_of_session(session)),
        contents=map(section_of, session) if has_contents else (),
        sections=map(section_of, session),
        unbroken=UNBROKEN,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    kinds = {"words": Words, "quote": Quote, "plot": Plot, "chart": Chart}
    for name, kind in kinds.items():
        environment.tests[name] = lambda block, kind=kind: isinstance(block, kind)
    colours = {name: f"var(--{name})" for name in ON_WHITE}
    environment.globals["svg_style"] = Markup((style_of(colours) + chart_style(colours)).lstrip())
    environment.filters["svg"] = lambda plot: Markup(plot_svg(plot))
    environment.filters["chart"] = lambda chart: Markup(chart_svg(chart))
    return environment.get_template("page.html.jinja")
