"""What is said around the plots of a column: counts, how sure the line is, of whom that holds. Pure."""

from __future__ import annotations

from explorer.base.records.tokens import LABELS
from explorer.base.shares import format_share
from explorer.base.text import visible
from explorer.specs.blocks import count
from explorer.tables.thresholds import Share
from explorer.tui.panes.map.histogram import sides_words
from explorer.tui.panes.map.plot_histogram import POINT
from explorer.tui.panes.map.recorded_curves import RecordedCurves
from explorer.tui.panes.map.spots import GLYPHS, WORDS
from explorer.tui.panes.map.threshold import Measured, Parted

NOTHING_MEASURED = "Nothing is measured here yet: press v to test tokens of this model."
NOT_RECORDED = "A session holds no number of every token: the map of a loaded model does."

_NOTHING_THERE = "Nothing is measured of {} yet: choose it, press v, and come back to this map."
NO_MAP = "No map is recorded up to this step."


def counts_words(parted: Parted) -> str:
    """Both sides of the line."""
    return sides_words(parted.numbers.label, parted.line, parted.sides, parted.side)


def measured_words(parted: Parted) -> str:
    """Precision and recall of the line with their intervals; empty where nothing is measured."""
    cut, measured = parted.cut, parted.measured
    if cut is None or measured is None:
        return ""
    return f"{_by(measured)}: precision {_share(cut.precision)} · recall {_share(cut.recall)}"


def _by(measured: Measured) -> str:
    """'magikarp'; with the model where that is another than the map's: 'magikarp on mynah'."""
    model = f" on {measured.other}" if measured.other else ""
    return visible(f"{measured.definition}{model}", spaces=False)


def nothing_measured(parted: Parted) -> str:
    """What to do for verdicts."""
    other = parted.numbers.other
    return _NOTHING_THERE.format(visible(other, spaces=False)) if other else NOTHING_MEASURED


def _share(share: Share) -> str:
    return format_share(share.part, share.whole) if share.whole else "of none"


def scope_words(parted: Parted) -> str:
    """Of whom precision and recall hold."""
    measured = parted.measured
    if measured is None:
        return ""
    total, shared = len(measured.scores.token_ids), " shared tokens" if measured.other else ""
    if measured.untested and measured.sample is not None and len(measured.sample.token_ids):
        cut = measured.sample.cut(parted.line)
        return f"Estimated for all{shared}: precision {_share(cut.precision)} · recall {_share(cut.recall)}"
    if not measured.untested:
        whole = "Of the shared tokens" if measured.other else "In the vocabulary"
        return f"{whole}: every ordinary token is measured, {count(total, 'token')} in all."
    return f"Among the {total:,} measured. {measured.untested:,} ordinary tokens are not: recall there is unknown."


def glyph_words(parted: Parted, *, with_verdicts: bool) -> str:
    """What the glyphs mean; `with_verdicts`: probabilities are plotted."""
    there = {point.role for point in parted.points} | ({"reference"} if len(parted.numbers.references) else set())
    if with_verdicts and parted.measured is not None:
        return (
            f"V glitch w weakly ? open · dots: not called, P at least that · {POINT} line {GLYPHS['subject']} selected"
        )
    words = [f"{GLYPHS[role]} {WORDS[role]}" for role in GLYPHS if role in there]
    return " · ".join((*words, f"{POINT} the line"))


def histogram_title(parted: Parted) -> str:
    """Above the bars."""
    return f"tokens by {parted.numbers.label}, log counts"


def measured_title(measured: Measured) -> str:
    """Above the probabilities."""
    return f"{measured.tested.value} by {_by(measured)} ↑"


def curve_title(area: str, value: float | None, axes: str) -> str:
    """'precision ↑ recall → · average precision 0.706'."""
    return axes if value is None else f"{axes} · {area} {value:.3f}"


def no_curve_words(parted: Parted | None, recorded: RecordedCurves | None) -> str:
    """Why there is no curve; a key is named where it acts."""
    if parted is not None and parted.measured is not None:
        return f"{_by(parted.measured)} calls none of the tokens measured, or all{_or_another(parted)}."
    if recorded is not None and recorded.result.curves:
        another = "" if parted is None else ": b chooses another column"
        return f"The recorded verification has curves of the default indicator alone{another}."
    if recorded is not None:
        return "The recorded verification has no curves."
    if parted is None:
        return "No verification of this model is recorded up to this step."
    return nothing_measured(parted)


def no_probability_words(parted: Parted) -> str:
    """Why there is no plot of probabilities."""
    if parted.measured is None:
        return nothing_measured(parted)
    return f"{_by(parted.measured)} gives no probabilities{_or_another(parted)}."


def _or_another(parted: Parted) -> str:
    return ": w chooses another definition" if len(parted.definitions) > 1 else ""


def recorded_words(recorded: RecordedCurves | None) -> tuple[str, str]:
    """What a recorded verification says of the indicator: of which definition, and how well it is foretold."""
    if recorded is None or not recorded.definition:
        return "", ""
    definition, tokens = visible(recorded.definition, spaces=False), count(recorded.result.tokens, "token")
    indicator = visible(LABELS.get(recorded.indicator, recorded.indicator), spaces=False)
    return f"Recorded: {indicator} against {definition} on {tokens}.", recorded.curves.legend
