"""What the Speakability pane shows: the answers about one token, or the summary of a run. No widget."""

from __future__ import annotations

from functools import partial

from explorer.base.records.speakability import ProveSpeakability, ReadCertificates, SpeakabilityResult
from explorer.tui.panes.speakability.exporting import as_lines, hard_rows, proof_clips, proof_rows
from explorer.tui.panes.speakability.known import Known, Place
from explorer.tui.panes.speakability.lines import Line, prose, summary_lines
from explorer.tui.panes.takeaway import Takeaway

HINT = (
    "Can the selected token be the argmax of the logits? Press a to prove it either way, in every mode. "
    "'all tokens' proves the whole vocabulary and gives the token table columns."
)


NO_TOKEN_HERE = "This line names no token: enter goes to the token of a line that does."


class ShownProofs:
    """What is known, and what of it is on display."""

    def __init__(self) -> None:
        self.known = Known()
        self.problem = ""
        """The last error, above the answers."""
        self._summary: SpeakabilityResult | None = None
        self._run: ProveSpeakability | None = None
        """What the summary answers."""
        self._token: Place | None = None
        """Whose answers are on display; None: the summary of a run."""

    def take(self, request: ProveSpeakability, result: SpeakabilityResult, selected: Place | None) -> None:
        """Show the outcome of a request: of the tokens asked about the `selected` one, else the first."""
        if request.token_ids is None:
            self._summary, self._run, self._token = result, request, None
            return
        self.known.take(result)
        if result.rows:
            chosen = selected if selected in self.known else None
            named = (result.model, result.rows[0].token.token_id)
            self._token = chosen if chosen is not None and chosen[1] in request.token_ids else named

    def look_at(self, selected: Place | None) -> None:
        """Another token was selected: show what is known of it, unless a summary says more."""
        self._token = selected if self._summary is None or selected in self.known else None

    def forget(self, name: str) -> None:
        """Another model has taken the name."""
        self.known.forget(name)
        if self._summary is not None and self._summary.model == name:
            self._summary = None

    def clear(self) -> None:
        """Forget everything."""
        self.known.clear()
        self._summary = self._token = None
        self.problem = ""

    @property
    def model(self) -> str:
        """The model that the tokens on display are of; empty where there is none."""
        if self._token is not None:
            return self._token[0]
        return self._summary.model if self._summary is not None else ""

    def takeaway(self) -> Takeaway | None:
        """The proofs about the token on display, or every token of the run that is hard to speak or not proved."""
        if self._token is not None and (answers := self.known.answers(self._token)):
            rows = [row for answer in answers for row in proof_rows(answer.row, answer.result)]
            text, clips = partial(as_lines, rows), partial(proof_clips, rows)
            return Takeaway("the proofs about a token", lambda _: rows, text=text, clips=clips)
        if self._summary is None or self._run is None:
            return None
        return Takeaway("the hard-to-speak and unspeakable tokens", hard_rows, ReadCertificates(of=self._run))

    def lines(self, width: int) -> list[Line]:
        """All of it, in lines of at most `width` cells; none where nothing is known."""
        return [*prose(self.problem, width, 0, "$error"), *self._answer_lines(width)]

    def _answer_lines(self, width: int) -> list[Line]:
        if self._token is None:
            return summary_lines(self._summary, width) if self._summary is not None else []
        lines = self.known.lines(self._token, width)
        return lines if not lines or self._token in self.known else [*lines, *prose("Press a for the proof.", width, 0)]
