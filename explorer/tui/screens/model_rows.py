"""The entries of the Models dialogue in words: a row each, and everything known of one. No widget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.content import Content

from explorer.base.records.models import CatalogueEntry, ModelInfo
from explorer.base.text import visible
from explorer.specs.models import reach_text

_ARCHITECTURE, _SHAPE, _MEMORY, _RUNS_ON = 17, 20, 10, 17
"""Cells of the columns behind the name."""
_SIGN = 2
_NAME = (12, 32)
"""Cells of the name's column, at least and at most."""


def size_text(size: int) -> str:
    """Bytes as '0.31 GiB'; nothing for an unknown size."""
    if size <= 0:
        return ""
    return "<0.01 GiB" if size < 0.01 * 2**30 else f"{size / 2**30:.2f} GiB"


@dataclass(frozen=True)
class ModelRows:
    """Rows of `width` cells in columns; what does not fit its column ends in `…`, and moves nothing."""

    width: int

    @property
    def _all(self) -> bool:
        """Whether dtype and device have room too."""
        return self.width >= _SIGN + _NAME[0] + _ARCHITECTURE + _SHAPE + _MEMORY + _RUNS_ON

    @property
    def _name(self) -> int:
        behind = _SIGN + _ARCHITECTURE + _SHAPE + _MEMORY + (_RUNS_ON if self._all else 0)
        return max(_NAME[0], min(_NAME[1], self.width - behind))

    def header(self) -> Content:
        """What the columns are."""
        return self._row("model", "architecture", "vocab×d_model×layers", "memory", "dtype device", sign="    ")

    def loaded(self, info: ModelInfo, *, selected: bool) -> Content:
        """A loaded model; the selected one stands in brackets, as in the model bar."""
        shape = "×".join(f"{side:,}" for side in (info.vocab_size, info.d_model, info.n_layers) if side)
        shown = visible(info.name, spaces=False)
        name = Content.styled(f"[{shown}]" if selected else shown, "bold $accent" if selected else "bold")
        runs_on = f"{visible(info.dtype, spaces=False)} {visible(info.device, spaces=False)}"
        architecture = visible(info.architecture, spaces=False)
        return self._row(name, architecture, shape, size_text(info.memory_bytes), runs_on, sign=("● ", "$success"))

    def failed(self, source: str, reason: str) -> Content:
        """A model that could not be loaded, and why."""
        name = _fill(visible(source, spaces=False), _NAME[1] - 2)
        return Content.assemble(("✗ ", "$error"), name, (visible(reason, spaces=False), "$foreground-muted"))

    def entry(self, entry: CatalogueEntry) -> Content:
        """A model that could be loaded."""
        name = _fill(visible(entry.source, spaces=False), _NAME[1] - 2)
        size = f"{size_text(entry.size_bytes):>9}  "
        about = visible(entry.description, spaces=False) or entry.origin
        return Content.assemble(("○ ", "$foreground-muted"), name, size, (about, "$foreground-muted"))

    def _row(
        self,
        name: Content | str,
        architecture: str,
        shape: str,
        memory: str,
        runs_on: str,
        *,
        sign: str | tuple[str, str],
    ) -> Content:
        shape = shape if len(shape) <= _SHAPE else "…"  # half a number is another number
        parts = [sign, _fill(name, self._name), _fill(architecture, _ARCHITECTURE), f"{shape:>{_SHAPE}}"]
        parts.append((f"{memory:>{_MEMORY}}", "$foreground-muted"))
        return Content.assemble(*parts, *([f"  {runs_on}"] if self._all else []))


def _fill(text: Content | str, cells: int) -> Content:
    """`text` in a column of `cells`, the last one blank."""
    cut = (Content(text) if isinstance(text, str) else text).truncate(cells - 1, ellipsis=True)
    return Content.assemble(cut, " " * (cells - cut.cell_length))


def loaded_details(info: ModelInfo, description: str = "") -> Content:
    """Everything known of a loaded model, on up to five lines of 69 cells; `description`: the catalogue's."""
    kind = [f"{visible(info.architecture, spaces=False)} in {visible(info.dtype)} on {visible(info.device)}"]
    if info.reach is not None:
        kind = [visible(reach_text(info.reach), spaces=False)]
    kind += ["tied" if info.tied else "untied"] if info.d_model else []
    kind += [
        f"context {info.context:,}" if info.context else "no context limit known",
    ]
    kind += ["chat template" if info.has_chat_template else "no chat template"]
    kind += [] if info.can_run else ["embeddings only"]
    kind += [f"quantised: {visible(info.quantisation, spaces=False)}"] if info.quantisation else []
    revision = f" @ {visible(info.revision)[:12]}" if info.revision else ""
    digests = f"{'fingerprint' if info.reach else 'weights'} {info.weights_digest[:12] or '–'}"
    digests += f"  tokenizer {info.tokenizer_digest[:12] or '–'}"
    digests += f" of {visible(info.tokenizer, spaces=False)}" if info.tokenizer else ""
    return Content.assemble(
        (visible(info.source, spaces=False) + revision, "bold"),
        f"  {info.n_parameters:,} parameters\n" if info.n_parameters else "\n",
        f"{visible(description, spaces=False)}\n" if description else "",
        " · ".join(kind) + "\n",
        (digests, "$foreground-muted"),
    )


def entry_details(
    entry: ModelInfo | CatalogueEntry | str | None, failed: Mapping[str, str], descriptions: Mapping[str, str]
) -> Content:
    """Everything known of an entry of the list.

    `failed`: why a source could not be loaded; `descriptions`: of sources, where the catalogue has one.
    """
    if entry is None:
        return Content("")
    if isinstance(entry, ModelInfo):
        return loaded_details(entry, descriptions.get(entry.source.removeprefix("weights:"), ""))
    if isinstance(entry, str):
        source, reason = visible(entry, spaces=False), visible(failed[entry], spaces=False)
        return Content.assemble((source, "bold"), "  could not be loaded\n", (reason, "$error"))
    about = visible(entry.description, spaces=False)
    return Content.assemble((visible(entry.source, spaces=False), "bold"), f"  {entry.origin}\n", about)
