"""What is said of speakability: subjects, presses, blocks, comparison, aliases."""

from __future__ import annotations

import msgspec

from explorer.base.records.record import Failure
from explorer.base.records.speakability import (
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
    SolidAngleEstimate,
    SpeakabilityResult,
)
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.registry import REGISTRY, models_of, spec_of
from explorer.specs.speakability import press, share_words, stands_beside, subject_of
from tests.sessions.example_sessions import speakability_exchanges
from tests.specs.test_verification_spec import words_of

ONE = ProveSpeakability(model="mynah", token_ids=(5,))


def result() -> SpeakabilityResult:
    found = speakability_exchanges("word")[0][1]
    assert isinstance(found, SpeakabilityResult)
    return found


def test_the_earlier_name_of_the_verb_works() -> None:
    verb = REGISTRY.verb("prove")
    assert verb is not None
    assert REGISTRY.verb("speakable") is verb


def test_only_a_question_about_one_token_has_a_subject() -> None:
    found = result()
    one = msgspec.structs.replace(found, rows=found.rows[:1])
    subject = subject_of(ONE, one)
    assert subject is not None
    assert subject.token_id == found.rows[0].token.token_id
    assert subject_of(ProveSpeakability(model="mynah", hard=True), one) is None
    assert subject_of(ProveSpeakability(model="mynah", token_ids=(5, 6)), found) is None
    assert subject_of(ONE, CertificatesChecked(model="mynah", proved=1, undecided=0, refused=())) is None


def test_the_modes_of_one_press_differ_in_nothing_else() -> None:
    ball = ProveSpeakability(model="mynah", token_ids=(5,), mode="ball", solid_angle=True)
    cone = ProveSpeakability(model="mynah", token_ids=(5,), mode="cone", bias=False)
    assert (press(ball)[0], press(cone)[0]) == ("ball", "cone")
    assert press(ball)[1] == press(cone)[1]
    assert press(msgspec.structs.replace(cone, token_ids=(6,)))[1] != press(ball)[1]


def test_answers_about_the_same_token_stand_beside_each_other() -> None:
    assert stands_beside(ProveSpeakability(model="mynah", token_ids=(4, 5), mode="cone"), result(), ONE)
    assert not stands_beside(ProveSpeakability(model="mynah", token_ids=(6,)), result(), ONE)
    assert not stands_beside(ProveSpeakability(model="starling", token_ids=(5,)), result(), ONE)
    assert not stands_beside(ProveSpeakability(model="mynah"), result(), ONE)
    assert not stands_beside(ONE, result(), ProveSpeakability(model="mynah"))
    assert not stands_beside(ONE, Failure(message="no memory"), ONE)


def test_whole_vocabularies_run_in_the_background() -> None:
    spec = spec_of(ONE)
    assert not spec.background(ONE)
    assert spec.background(ProveSpeakability(model="mynah"))
    assert spec.resumable
    assert spec.needs(ONE) == {"vocabulary", "weights"}


def test_what_is_read_and_checked_stands_in_no_session() -> None:
    read = ReadCertificates(of=ONE)
    check = CheckCertificates(model="mynah", mode="ball", bias=True, folded=True, digest="", rows=())
    assert models_of(read) == models_of(check) == ("mynah",)
    assert not spec_of(read).recorded
    assert not spec_of(check).recorded
    assert spec_of(ONE).recorded


def test_what_the_table_and_the_report_showed_is_in_the_blocks() -> None:
    found = msgspec.structs.replace(result(), reused=4, notes=("a remark",))
    words = words_of(spec_of(ONE).blocks(ONE, found))
    for part in ("mynah, ball, with bias, folded weights: ", "from disk", "a remark", "0.75 × 7, 0.25 × 3",
                 "a point of 2 numbers", "-12.50 ± 0.25", "on the sphere", "yes", "undecided"):  # fmt: skip
        assert part in words


def test_a_share_that_was_not_reached_is_a_bound() -> None:
    assert share_words(SolidAngleEstimate(log10=-300.0, stderr=0.0, found=False)) == "below -300.00"
    assert share_words(None) == "–"


def test_other_proofs_of_the_same_verdicts_agree() -> None:
    found = result()
    rows = tuple(msgspec.structs.replace(row, margin=9.0, certificate=None) for row in found.rows)
    other = msgspec.structs.replace(found, rows=rows, question="asked otherwise", names=(), reused=1)
    compare = spec_of(ONE).compare
    assert compare(ONE, found, other, Comparison()).difference == ""
    changed = msgspec.structs.replace(found, speakable=found.speakable + 1)
    assert "speakable" in compare(ONE, found, changed, Comparison()).difference
