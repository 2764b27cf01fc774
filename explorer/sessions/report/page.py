"""A session as one page to read and to send round: HTML without scripts or network, or Markdown.

A session file is untrusted. Every text goes through `visible` and then through the escaping of the format it is
written in; the page forbids itself scripts and loading anything (Content-Security-Policy) on top.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from explorer import __version__
from explorer.base.errors import ExplorerError
from explorer.base.files import write_whole
from explorer.base.records.models import ModelInfo, ModelLoaded
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.report.section import Section
from explorer.sessions.report.sections import models_table, section_of
from explorer.sessions.report.style import STYLE
from explorer.sessions.report.svg import plot_svg
from explorer.specs.blocks import Block, Plot, Quote, Table, Words, prose

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


def title_of(session: SessionFile) -> str:
    """The session's title, or its file's name."""
    return prose(session.header.title or session.path.stem)


def header_facts(session: SessionFile) -> list[tuple[str, str]]:
    """What the header says, as names and values."""
    header = session.header
    versions = ", ".join(f"{name} {version}" for name, version in header.versions.items())
    facts = [("started", header.started), ("steps", f"{len(session):,}"), ("seed", str(header.seed)),
             ("platform", header.platform), ("versions", versions), ("continues", header.parent)]  # fmt: skip
    return [(name, prose(value)) for name, value in facts if value]


def _models(session: SessionFile) -> list[ModelInfo]:
    found = (step.outcome.info for step in session if isinstance(step.outcome, ModelLoaded))
    return list({(info.name, info.weights_digest, info.dtype): info for info in found}.values())


# ── HTML ──────────────────────────────────────────────────────────────────────────────────────────────────


def html_report(session: SessionFile) -> Iterator[str]:
    """The page, piece by piece."""
    title = escape(title_of(session))
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="generator" content="glitch-explore {escape(__version__)}">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main>\n<header><h1>{title}</h1>\n"
    )
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in header_facts(session))
    yield f"<dl>{facts}</dl>\n"
    if session.warning:
        yield f'<p class="warns">{escape(session.warning)}</p>\n'
    if models := _models(session):
        yield _html_block(models_table(models))
    yield "</header>\n"
    if 1 < len(session) <= CONTENTS_UP_TO:
        yield f"<nav><ol>{''.join(_contents_line(section) for section in map(section_of, session))}</ol></nav>\n"
    for step in session:
        yield _html_section(section_of(step))
    yield f"</main><footer>glitch-explore {escape(__version__)}</footer></body></html>\n"


def _contents_line(section: Section) -> str:
    text = section.title if section.kind != "note" else f"{section.title}: {_first_words(section)}"
    return (
        f'<li value="{section.number}" class="{section.kind}"><a href="#step-{section.number}">{escape(text)}</a></li>'
    )


def _first_words(section: Section) -> str:
    first = next((block.text for block in section.blocks if isinstance(block, Words)), "")
    return first if len(first) <= 90 else first[:89] + "…"


def _html_section(section: Section) -> str:
    head = (
        f'<h2><a href="#step-{section.number}">{section.number}</a> {escape(section.title)}</h2>'
        f"<time>{escape(section.at)}</time>"
    )
    summary = f'<p class="summary">{escape(section.summary)}</p>' if section.summary else ""
    tags = "".join(f'<span class="tag">{escape(tag)}</span>' for tag in section.tags)
    body = "\n".join(_html_block(block) for block in section.blocks)
    return f'<section id="step-{section.number}" class="{section.kind}">{head}{summary}{body}{tags}</section>\n'


def _html_block(block: Block) -> str:
    match block:
        case Words(text=text, warns=warns):
            return f"<p{' class=warns' if warns else ''}>{escape(text)}</p>"
        case Quote(text=text):
            return f"<blockquote>{escape(text)}</blockquote>"
        case Plot():
            return f"<figure>{plot_svg(block)}</figure>"
        case Table():
            return _html_table(block)


def _html_table(table: Table) -> str:
    sides = ["r" if head in table.right else "" for head in table.heads]
    heads = "".join(f'<th class="{side}">{escape(head)}</th>' for head, side in zip(table.heads, sides, strict=True))
    rows = "".join(
        f"<tr{' class=strong' if place in table.strong else ''}>"
        + "".join(_html_cell(cell, side) for cell, side in zip(row, sides, strict=True))
        + "</tr>"
        for place, row in enumerate(table.rows)
    )
    return f'<div class="table"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _html_cell(cell: str, side: str) -> str:
    kind = side or ("n" if len(cell) <= UNBROKEN else "")
    return f'<td class="{kind}">{escape(cell)}</td>'


# ── Markdown ──────────────────────────────────────────────────────────────────────────────────────────────

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
    """The report as Markdown, piece by piece. Pictures stay out: Markdown has no inline ones."""
    yield f"# {markdown_text(title_of(session))}\n\n"
    yield "".join(f"- {name}: {markdown_text(value)}\n" for name, value in header_facts(session)) + "\n"
    if session.warning:
        yield f"**{markdown_text(session.warning)}**\n\n"
    if models := _models(session):
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
            case Plot():
                pass
    if section.tags:
        yield " ".join(f"\\#{markdown_text(tag)}" for tag in section.tags) + "\n\n"


def _markdown_table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |\n"

    sides = "|" + "|".join("---:" if head in table.right else "---" for head in table.heads) + "|\n"
    return line(table.heads) + sides + "".join(map(line, table.rows)) + "\n"
