"""A session as Markdown: the same blocks as the page. Pictures stay out: Markdown has no inline ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from explorer.sessions.file.reader import SessionFile
from explorer.sessions.report.section import Section, header_facts, models_of_session, section_of, title_of
from explorer.specs.blocks import Plot, Quote, Table, Words
from explorer.specs.charts import Chart
from explorer.specs.models import models_table

_ACTIVE = re.compile(r"[\\`*_\[\]|~$^@]|(?<=:)//|(?<=www)\.", re.IGNORECASE)
"""What Markdown (CommonMark, GitHub's tables, strikes, mathematics, mentions and bare links) would act on."""
_LEADING = re.compile(r"^([-+=#]|\d+(?=[.)]))")
"""What would make a list, a rule or a heading of a paragraph that begins with it."""


def markdown_text(text: str) -> str:
    """`text` as literal Markdown inside a line, with HTML's own characters as entities."""
    return _ACTIVE.sub(lambda found: f"\\{found[0]}", escape(text, quote=False))


def markdown_paragraph(text: str) -> str:
    """`text` as a paragraph of literal Markdown."""
    # Spaces before a list, a rule or a heading leave it one, and four of them make code of anything: they are written
    # as what Markdown takes for no indentation.
    words = text.lstrip()
    indent = "&nbsp;" * (len(text) - len(words))
    # A number that would begin a list is kept apart from its dot; everything else takes a backslash.
    return indent + _LEADING.sub(
        lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", markdown_text(words)
    )


def markdown_report(session: SessionFile) -> Iterator[str]:
    """The report as Markdown, piece by piece."""
    yield f"# {markdown_text(title_of(session))}\n\n"
    yield "".join(f"- {name}: {markdown_text(value)}\n" for name, value in header_facts(session)) + "\n"
    if session.warning:
        yield f"**{markdown_text(session.warning)}**\n\n"
    if models := models_of_session(session):
        yield _markdown_table(models_table(models))
    for step in session:
        yield from _markdown_section(section_of(step))


def _markdown_section(section: Section) -> Iterable[str]:
    yield f"## {section.number} · {markdown_text(section.title)}\n\n"
    if section.summary:
        yield f"{markdown_paragraph(section.summary)}\n\n"
    for block in section.blocks:
        match block:
            case Words(text=text, warns=warns):
                yield (f"**{markdown_text(text)}**" if warns else markdown_paragraph(text)) + "\n\n"
            case Quote(text=text):
                yield f"> {markdown_paragraph(text)}\n\n"
            case Table():
                yield _markdown_table(block)
            case Plot() | Chart():
                pass
    if section.tags:
        yield " ".join(f"\\#{markdown_text(tag)}" for tag in section.tags) + "\n\n"


def _markdown_table(table: Table) -> str:
    title = f"**{markdown_text(table.title)}**\n\n" if table.title else ""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |\n"

    sides = "|" + "|".join("---:" if head in table.right else "---" for head in table.heads) + "|\n"
    return title + line(table.heads) + sides + "".join(map(line, table.rows)) + "\n"
