"""What has come of a sweep so far: verdicts, what it cost, how far it is and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch

from explorer.base.records.models import ModelInfo
from explorer.base.records.record import Progress
from explorer.engine.answers.verification.plan import Judged, Plan
from explorer.engine.answers.verification.summary import Spent, failing_definitions
from explorer.engine.answers.verification.sweep import Asking
from explorer.engine.core.processor import multiplies_bfloat16
from explorer.engine.models.abilities import BehindServer, HasVocabulary
from explorer.engine.models.vocabulary import Vocabulary

SHOWN = 5
"""Refused tokens that are named."""
LARGE = 50_000_000
"""Parameters from which the dtype decides how long a sweep takes."""


class Swept:
    """What came of a sweep, as far as it got."""

    def __init__(self, plan: Plan) -> None:
        self.tokens = 0
        """The first so many tokens of the plan are judged."""
        self.completed = False
        self.controls: Judged | None = None
        """The verdicts on the controls, once they are known."""
        self.failing = failing_definitions(plan, None)
        """By definition: whether its controls fail too."""
        self._plan = plan
        self._judged = Judged.nothing(len(plan.definitions), len(plan.token_ids))
        self._began = time.monotonic()
        self._last = Asking(0, 0, 0)
        self._questions = max(len(plan.questions), 1)
        self.refused: dict[int, str] = {}
        """Tokens that the server refuses to be asked about, and why."""

    @property
    def judged(self) -> Judged:
        """Of the tokens that are judged."""
        whole = self._judged
        return Judged(whole.verdicts[:, : self.tokens], whole.values[:, : self.tokens], whole.replies)

    @property
    def _how(self) -> str:
        return how_it_runs(self._plan.model)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how it went."""
        left = self._plan.model.left_out if isinstance(self._plan.model, BehindServer) else ()
        return (*left, *_note_on_refused(self._plan.model.vocabulary, self.refused))

    @property
    def _seconds(self) -> float:
        return max(time.monotonic() - self._began, 1e-6)

    @property
    def work(self) -> Spent:
        """What it cost."""
        last = self._last
        asked = last.rows_done - last.rows_found
        return Spent(
            answered=asked - last.rows_settled,
            reused=last.rows_found,
            skipped=last.rows_settled,
            rate=asked / self._questions / self._seconds,
            how=self._how,
        )

    def take_controls(self, controls: Judged) -> None:
        """The controls are known: from now on definitions are judged against them."""
        self.controls, self.failing = controls, failing_definitions(self._plan, controls)

    def take(self, judged: Judged) -> Judged:
        """Add the next tokens; their verdicts against the controls."""
        judged = judged.against(self.failing)
        end = self.tokens + judged.verdicts.shape[1]
        self._judged.verdicts[:, self.tokens : end] = judged.verdicts
        self._judged.values[:, self.tokens : end] = judged.values
        self._judged.replies[:] += judged.replies
        self.tokens = end
        return judged

    def progress(self, asking: Asking) -> Progress:
        """How far it is, in tokens; the controls come first and are counted alone."""
        self._last = asking
        controls, spent = len(self._plan.control_ids), self.work
        done = asking.rows_done // self._questions
        are_controls = controls > 0 and self.controls is None
        return Progress(
            done=done if are_controls else max(0, done - controls),
            total=controls if are_controls else len(self._plan.token_ids),
            what="controls asked" if are_controls else "tokens verified",
            rate=spent.rate,
            seconds_left=asking.work_left * self._seconds / asking.work_done if asking.work_done else None,
            reused=asking.rows_found // self._questions,
            note=self._how,
        )


def _note_on_refused(vocabulary: Vocabulary, refused: Mapping[int, str]) -> tuple[str, ...]:
    """Which tokens were not asked, and the server's words."""
    if not refused:
        return ()
    shown = ", ".join(f"{each} {vocabulary.ref(each).text}" for each in sorted(refused)[:SHOWN])
    more = f" and {len(refused) - SHOWN:,} more" * (len(refused) > SHOWN)
    return (f"not asked, because the server refuses their prompts: {shown}{more} ({next(iter(refused.values()))})",)


def how_it_runs(model: HasVocabulary) -> str:
    """'float32 on cpu, 2 threads': what the numbers and the speed depend on."""
    info = model.info
    if info.device != "cpu":
        shared = f", {model.how}" if isinstance(model, BehindServer) and model.how else ""
        return f"{info.dtype} on {info.device}{shared}"
    threads = torch.get_num_threads()
    emulated = info.dtype == "bfloat16" and not multiplies_bfloat16()
    dtype = "bfloat16 (emulated by this processor: float32 is faster)" if emulated else info.dtype
    return f"{dtype} on cpu, {threads} {'thread' if threads == 1 else 'threads'}"


def note_on_dtype(info: ModelInfo) -> tuple[str, ...]:
    """What would be faster here, where that is worth the coarser numbers."""
    if info.device != "cpu" or info.dtype != "float32" or info.n_parameters < LARGE or not multiplies_bfloat16():
        return ()
    return (
        "this processor multiplies bfloat16 itself: with --dtype bfloat16 long prompts are read about 1.5 times as"
        " fast, and probabilities are right to about two digits",
    )
