"""What is said of speakability: subjects, presses, blocks, comparison, aliases."""

from __future__ import annotations

import msgspec

from explorer.base.records.record import Failure
from explorer.base.records.speakability import (
    CertificatesChecked,
    CheckCertificates,
    ProofCheck,
    ProveSpeakability,
    ReadCertificates,
    RowsLost,
    RowWinner,
    SolidAngleEstimate,
    SpeakabilityResult,
)
from explorer.specs.blocks import Words
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.proof_words import check_of, check_words, lost_words, share_words
from explorer.specs.registry import REGISTRY, models_of, spec_of
from explorer.specs.speakability import press, stands_beside, subject_of
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


def test_the_check_of_the_proofs_is_told_in_one_wording() -> None:
    assert check_words(ProofCheck(proved=0)) == ""
    assert check_words(ProofCheck(proved=1)) == "the proof was checked again and holds"
    assert check_words(ProofCheck(proved=0, refused=(5,))) == "the proof was checked again and does NOT hold"
    assert check_words(ProofCheck(proved=3)) == "the 3 proofs were checked again and hold"
    some = check_words(ProofCheck(proved=1, refused=tuple(range(9))))
    assert some == "the 10 proofs were checked again; of 9 tokens they do NOT hold: 0, 1, 2, 3, 4, 5, 6, 7 …"
    assert "checked again" not in words_of(spec_of(ONE).blocks(ONE, result()))
    for refused, words in (((), "The 3 proofs were checked again and hold."), ((5,), "they do NOT hold: 5.")):
        found = msgspec.structs.replace(result(), checked=ProofCheck(proved=3 - len(refused), refused=refused))
        told = [block for block in spec_of(ONE).blocks(ONE, found) if isinstance(block, Words) and words in block.text]
        assert [block.warns for block in told] == [bool(refused)]


def test_a_listed_token_is_told_its_own_part_of_the_check() -> None:
    proved, _, undecided = result().rows
    assert check_of(result(), proved) is None
    found = msgspec.structs.replace(result(), checked=ProofCheck(proved=2))
    assert check_of(found, proved) == ProofCheck(proved=1)
    assert check_of(found, undecided) == ProofCheck(proved=0)
    lies = msgspec.structs.replace(found, checked=ProofCheck(proved=1, refused=(proved.token.token_id,)))
    assert check_of(lies, proved) == ProofCheck(proved=0, refused=(proved.token.token_id,))


def test_a_check_is_compared_where_both_outcomes_have_one() -> None:
    compare, old = spec_of(ONE).compare, result()
    holds = msgspec.structs.replace(old, checked=ProofCheck(proved=2))
    refuses = msgspec.structs.replace(old, checked=ProofCheck(proved=1, refused=(5,)))
    for recorded, live in ((old, holds), (holds, old), (old, refuses), (holds, holds)):
        assert compare(ONE, recorded, live, Comparison()).difference == ""
    assert "checked" in compare(ONE, holds, refuses, Comparison()).difference


def test_the_tokens_that_win_along_most_rows_are_named_beside_the_count() -> None:
    token = result().rows[0].token
    own = RowsLost(tokens=49_152, lost=46_408, winners=(RowWinner(token=token, beats=43_624),))
    found = msgspec.structs.replace(result(), own_rows=own, centred_rows=RowsLost(tokens=49_152, lost=0, winners=()))
    first, second = lost_words(found)
    assert first.startswith(
        "Along their own rows 46,408 of 49,152 tokens lose to another and are hard to speak; 94.0 % to "
    )
    assert first.endswith(f" ({token.token_id}).")
    assert second == "Along their rows less the mean row 0 of 49,152 tokens lose to another."
    assert "(94.0 % lose to " in spec_of(ONE).summarise(found)
    assert RowsLost(tokens=5, lost=1, winners=(RowWinner(token=token, beats=2),)).problem()
    assert not own.problem()


def test_sessions_that_do_not_say_who_wins_along_most_rows_agree_with_those_that_do() -> None:
    now = msgspec.structs.replace(result(), own_rows=RowsLost(tokens=5, lost=0, winners=()))
    other = msgspec.structs.replace(result(), own_rows=RowsLost(tokens=5, lost=2, winners=()))
    compare = spec_of(ONE).compare
    assert compare is not None
    assert not compare(ONE, result(), now, Comparison()).difference
    assert compare(ONE, other, now, Comparison()).difference
