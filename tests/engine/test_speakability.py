"""Speakability through the engine: the zoo in every mode, its cards' claims, proofs checked, runs killed, resumed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
import torch

from explorer.base.errors import ExplorerError
from explorer.base.records.models import LoadModel
from explorer.base.records.plain import dump_json, load_json
from explorer.base.records.record import Progress
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProofCheck,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityCertificate,
    SpeakabilityMode,
    SpeakabilityPart,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.unions import AnyOutcome, Cancelled
from explorer.engine.answers.speakability.answer import prove_tokens, read_certificates
from explorer.engine.answers.speakability.asked import ask
from explorer.engine.answers.speakability.check import check_certificates
from explorer.engine.answers.speakability.store import ProofStore
from explorer.engine.answers.speakability.unembedding import Unembeddings, unembedding
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import HasWeights, weights_of
from explorer.engine.models.lens import folded_unembedding
from explorer.engine.models.local import EmbeddingsOnly, LocalModel, ModelFiles
from explorer.engine.models.memory import Memory
from explorer.specs.proof_words import tie_words
from explorer.zoo import ground_truth, zoo_dir

CONTROL = Control(lambda: False, lambda part: None)


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    for name in ("mynah", "starling"):
        made.models.load(f"zoo:{name}")
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speakability")


def finished(work: Generator[Any, None, Any]) -> tuple[Any, list[Any]]:
    parts = []
    while True:
        try:
            parts.append(next(work))
        except StopIteration as done:
            return done.value, parts


def settle(model: HasWeights, cache: Path, **chosen: Any) -> tuple[SpeakabilityResult, list[Any], Certificates]:
    """The result, the parts and all rows of a run."""
    request = ProveSpeakability(model=model.info.name, **chosen)
    result, parts = finished(prove_tokens(model, request, CONTROL, cache))
    return result, parts, read_certificates(model, ReadCertificates(of=request), cache)


def checked(
    model: HasWeights, made: Certificates, rows: tuple[SpeakabilityRow, ...] | None = None
) -> CertificatesChecked:
    request = CheckCertificates(
        model=made.model, mode=made.mode, bias=made.bias, folded=made.folded, digest=made.digest,
        rows=made.rows if rows is None else rows,
    )  # fmt: skip
    outcome, _ = finished(check_certificates(model, request, CONTROL))
    assert isinstance(outcome, CertificatesChecked)
    return outcome


def groups(name: str) -> tuple[list[int], list[int]]:
    """The withheld tokens and the ordinary ones: shown at least 100 times and in no other group."""
    truth = ground_truth(name)
    withheld = [entry["token_id"] for entry in truth["withheld"]]
    tiers = [one for tier in truth["under_trained"].values() for one in tier]
    others = {*withheld, *truth["reserved"], *truth["held_out"], *tiers}
    return withheld, [one for one, count in enumerate(truth["counts"]) if count >= 100 and one not in others]


def test_the_next_token_is_told_from_what_is_known_until_the_model_is_gone(engine: Engine, cache: Path) -> None:
    model, kept = weights_of(engine.models.get("mynah")), Unembeddings()
    before = kept.of(model, folded=True, bias=True)
    assert kept.of(model, folded=True, bias=True) is before
    without = kept.of(model, folded=True, bias=False)
    assert without.found.rows is before.found.rows  # and with them what was found out about them
    assert without.ground is before.ground
    assert without.found.shift is None is not before.found.shift
    request = ProveSpeakability(model="mynah", mode="cone", bias=False, token_ids=(102,), fresh=True)
    first, _ = finished(prove_tokens(model, request, CONTROL, cache, kept))
    assert set(before.ground.geometries) == {False}
    again, _ = finished(prove_tokens(model, request, CONTROL, cache, kept))
    assert again.rows == first.rows
    assert kept.of(weights_of(engine.models.get("starling")), folded=True, bias=True).ground is not before.ground
    assert kept.of(model, folded=True, bias=True) is not before
    kept.forget()
    assert not kept.of(model, folded=True, bias=False).ground.geometries


def test_what_would_fill_the_memory_is_not_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "explorer.engine.answers.speakability.unembedding.free_memory", lambda device: Memory(0, 10**6, 10**7)
    )
    kept, model = Unembeddings(), weights_of(engine.models.get("mynah"))
    assert kept.of(model, folded=True, bias=True) is not kept.of(model, folded=True, bias=True)


@pytest.mark.parametrize(("token_ids", "about"), [((5,), "1 token"), (None, "all tokens")])
def test_a_proof_that_does_not_fit_the_memory_is_refused_before_anything_is_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, cache: Path, token_ids: Any, about: str
) -> None:
    monkeypatch.setattr("explorer.engine.answers.speakability.room.free_memory", lambda device: Memory(0, 10**6, 10**7))
    model = weights_of(engine.models.get("mynah"))
    request = ProveSpeakability(model="mynah", mode="ball", bias=True, token_ids=token_ids)
    with pytest.raises(ExplorerError, match=rf"^a proof about {about} of mynah takes about [\d.]+ MiB; .* are free$"):
        next(prove_tokens(model, request, CONTROL, cache))


# ── what the numbers are about ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["mynah", "starling"])
@pytest.mark.parametrize("folded", [True, False])
def test_rows_shift_and_bias_reproduce_the_models_logits(engine: Engine, name: str, folded: bool) -> None:
    """At x the final norm's output (folded: without its scale and shift), for a real prompt."""
    model = weights_of(engine.models.get(name))
    assert isinstance(model, LocalModel)
    found = unembedding(model, folded=folded, bias=True)
    body: Any = model.hf.base_model
    norm = body.ln_f if hasattr(body, "ln_f") else body.norm
    read: list[torch.Tensor] = []
    hook = norm.register_forward_hook(lambda module, given, made: read.append(given[0]))
    logits = model.start([[300, 400, 500]]).logits[0].double().numpy()
    hook.remove()
    residual = read[0][0, -1].double().numpy()
    rest = residual - residual.mean() if name == "mynah" else residual
    x = rest / np.sqrt((rest**2).mean() + 1e-5)
    if not folded:
        x = x * norm.weight.detach().double().numpy()
    scores = found.rows.along(x) + (0.0 if found.total_bias is None else found.total_bias)
    assert np.abs(scores - logits[found.token_ids]).max() < 1e-3
    assert found.mean_zero == (folded and name == "mynah")


def test_folding_here_and_by_transformer_lens_differ_by_nothing_a_mean_zero_x_can_see(engine: Engine) -> None:
    model = weights_of(engine.models.get("mynah"))
    assert isinstance(model, LocalModel)
    ours = unembedding(model, folded=True, bias=True)
    matrix, level = folded_unembedding(model)
    centred = ours.rows.whole() - ours.rows.whole().mean(axis=1, keepdims=True)
    assert np.abs(centred - matrix.double().numpy()).max() < 1e-5
    assert ours.total_bias is not None
    assert np.abs(ours.total_bias - level.double().numpy()).max() < 1e-4


def test_padding_rows_are_no_rivals_and_cannot_be_named(engine: Engine, cache: Path) -> None:
    model = weights_of(engine.models.get("starling"))
    assert (model.info.tokenizer_size, model.info.vocab_size) == (3072, 3088)
    assert len(unembedding(model, folded=True, bias=True).rows) == 3072
    with pytest.raises(ExplorerError, match="padding"):
        settle(model, cache, token_ids=(3080,))


# ── the zoo, in every mode ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["mynah", "starling"])
@pytest.mark.parametrize(
    ("mode", "bias", "folded"),
    [("ball", True, True), ("box", True, True), ("cone", False, True), ("box", False, False)],
)
def test_every_withheld_and_ordinary_token_is_speakable_and_the_proof_holds(
    engine: Engine, cache: Path, name: str, mode: SpeakabilityMode, bias: bool, folded: bool
) -> None:
    """The card found witnesses for nearly all withheld tokens by ascent; none is unspeakable, and here is why."""
    model = weights_of(engine.models.get(name))
    withheld, ordinary = groups(name)
    ids = tuple(sorted({*withheld[::8], *ordinary[::80]}))
    result, _, made = settle(model, cache, mode=mode, bias=bias, folded=folded, token_ids=ids)
    assert (result.speakable, result.unspeakable, result.undecided) == (len(ids), 0, 0)
    assert result.checked == ProofCheck(proved=len(ids))
    assert all(row.margin > 0 for row in made.rows)
    found = checked(model, made)
    assert (found.proved, found.undecided, found.refused) == (len(ids), 0, ())


@pytest.mark.parametrize("name", ["mynah", "starling"])
def test_the_card_is_right_about_who_wins_along_the_centred_row(engine: Engine, cache: Path, name: str) -> None:
    """Along its own centred output row. A `row_witness` proves just that; the card counts padding rows as rivals."""
    card = " ".join((zoo_dir(name) / "card.md").read_text().split())
    found = re.search(r"wins for ([\d.]+) of the ordinary tokens and ([\d.]+) of the withheld", card)
    assert found is not None
    model = weights_of(engine.models.get(name))
    _, _, made = settle(model, cache, mode="cone", bias=False, folded=False)
    proofs = {row.token.token_id: row.certificate for row in made.rows}
    wins = {one for one, proof in proofs.items() if proof is not None and proof.kind == "row_witness"}
    rows = model.embeddings().output
    assert rows is not None
    away = rows.double() - rows.double().mean(dim=0)
    with_padding = ((away / away.norm(dim=1, keepdim=True)) @ rows.double().T).argmax(dim=1).tolist()
    for ids, share in zip(groups(name)[::-1], map(float, found.groups()), strict=True):
        assert abs(np.mean([with_padding[one] == one for one in ids]) - share) < 0.001
        assert share - 0.001 < np.mean([one in wins for one in ids]) < share + 0.02


def test_withheld_tokens_are_hard_to_speak_and_the_winners_are_what_a_plain_product_says(
    engine: Engine, cache: Path
) -> None:
    model = weights_of(engine.models.get("mynah"))
    result, parts, made = settle(model, cache, mode="own_direction", bias=True, folded=True, fresh=True)
    found = unembedding(model, folded=True, bias=True)
    rows = found.rows.whole()
    plain = (rows @ rows.T + found.total_bias).argmax(axis=1)
    assert [row.own_direction_winner.token_id for row in made.rows] == found.token_ids[plain].tolist()
    winners = {row.token.token_id: row.own_direction_winner.token_id for row in made.rows}
    withheld, _ = groups("mynah")
    assert np.mean([winners[one] != one for one in withheld]) > 0.9
    assert result.hard == sum(one != winner for one, winner in winners.items())
    assert result.own_rows is not None is not result.centred_rows
    assert (result.own_rows.tokens, result.own_rows.lost) == (len(winners), result.hard)
    most = result.own_rows.winners[0]
    beaten = [one for one, winner in winners.items() if winner == most.token.token_id != one]
    assert most.beats == len(beaten) == max(won.beats for won in result.own_rows.winners)
    apart = rows - rows.mean(axis=0)
    lost = int(((apart @ rows.T + found.total_bias).argmax(axis=1) != np.arange(len(rows))).sum())
    assert result.centred_rows.lost == lost
    assert result.unspeakable == 0
    told = [part for part in parts if isinstance(part, SpeakabilityPart)]
    assert sorted(one for part in told for one in part.token_ids.numpy().tolist()) == sorted(winners)
    assert any(isinstance(part, Progress) for part in parts)
    assert checked(model, made).refused == ()


def test_what_is_on_disk_is_checked_too(engine: Engine, tmp_path: Path) -> None:
    """A proof that somebody changed, with its checksum, is found at the next look at the token."""
    model = weights_of(engine.models.get("mynah"))
    asked: dict[str, Any] = {"mode": "box", "bias": False, "token_ids": (102, 300)}
    first, _, made = settle(model, tmp_path, **asked)
    assert first.checked == ProofCheck(proved=2)
    question = ask(model, "box", bias=False, folded=True)
    with ProofStore(question.path(tmp_path, "box"), write=True) as store:
        store.append([msgspec.structs.replace(made.rows[0], margin=made.rows[0].margin + 1)])
    again, _, _ = settle(model, tmp_path, **asked)
    assert (again.reused, again.checked) == (2, ProofCheck(proved=1, refused=(102,)))
    own, _, _ = settle(model, tmp_path, **asked | {"mode": "own_direction"})
    assert own.checked is None


def test_hard_means_the_hard_ones_and_a_token_alone_gets_the_same_verdict(engine: Engine, cache: Path) -> None:
    model = weights_of(engine.models.get("mynah"))
    hard, _, made = settle(model, cache, hard=True)
    assert hard.tokens == hard.hard == len(made.rows)
    assert hard.checked is None  # nobody named them
    assert all(row.own_direction_winner != row.token for row in made.rows)
    (first,) = (row for row in made.rows if row.token.token_id == groups("mynah")[0][0])
    alone, _, again = settle(model, cache, token_ids=(first.token.token_id,))
    assert alone.reused == 1
    assert again.rows[0].verdict == first.verdict
    assert again.rows[0].on_sphere is True
    assert len(dump_json(hard)) < 50_000
    assert load_json(dump_json(hard), AnyOutcome) == hard


def test_a_solid_angle_is_seeded_and_small_for_withheld_tokens(engine: Engine, cache: Path) -> None:
    model = weights_of(engine.models.get("mynah"))
    withheld, ordinary = groups("mynah")
    chosen = {"token_ids": (withheld[0], ordinary[0]), "solid_angle": True, "mode": "cone", "bias": False, "seed": 3}
    _, _, made = settle(model, cache, **chosen)
    rare, common = (next(row.solid_angle for row in made.rows if row.token.token_id == one)
                    for one in (withheld[0], ordinary[0]))  # fmt: skip
    assert rare is not None
    assert common is not None
    assert rare.found
    assert rare.log10 < common.log10 - 1
    _, _, again = settle(model, cache, fresh=True, **{**chosen, "token_ids": (ordinary[0],)})
    assert again.rows[0].solid_angle == common


def test_a_real_small_llama_is_settled(engine: Engine, cache: Path, shared: Path) -> None:
    folder = shared / "models" / "stories260K"
    if not folder.is_dir():
        pytest.skip("../shared/models/stories260K is not here")
    model = engine.models.load(str(folder))
    for mode in ("ball", "box"):
        result, _, made = settle(model, cache, mode=mode, token_ids=tuple(range(0, 512, 8)))
        assert result.undecided == 0
        assert checked(model, made).proved == 64


# ── proofs of the opposite, on planted rows ───────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def planted(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> HasWeights:
    """mynah with a token in the midst of three others and a pair of equal rows."""
    folder = tmp_path_factory.mktemp("planted") / "planted"
    model = weights_of(engine.models.get("mynah"))
    assert isinstance(model, LocalModel)
    folder.mkdir()
    for file in zoo_dir("mynah").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    (head,) = (name for name in tensors if name.endswith("lm_head.weight"))
    rows = tensors[head].float()
    rows[1000] = 0.5 * rows[2000] + 0.25 * rows[2001] + 0.25 * rows[2002]
    rows[1001] = rows[2003]
    save_file({**tensors, head: rows}, folder / "model.safetensors", metadata={"format": "pt"})
    return engine.models.load(str(folder))


def test_a_token_within_the_hull_and_equal_rows_are_unspeakable(planted: HasWeights, tmp_path: Path) -> None:
    for mode, bias, folded in (("ball", False, True), ("cone", False, False), ("box", False, True)):
        result, _, made = settle(planted, tmp_path, mode=mode, bias=bias, folded=folded, token_ids=(1000, 1001, 2003))
        verdicts = {row.token.token_id: row.verdict for row in made.rows}
        assert verdicts[1001] == verdicts[2003] == "unspeakable"
        assert verdicts[1000] == "unspeakable"
        assert checked(planted, made).refused == ()
        shadow = made.rows[1].certificate
        assert shadow is not None
        assert shadow.token_ids == (2003,)
        assert result.unspeakable >= 2
        tied = {row.token.token_id: [one.token_id for one in row.tied] for row in result.rows}
        assert tied == {1000: [], 1001: [2003], 2003: [1001]}
        words = {row.token.token_id: tie_words(row) for row in result.rows}
        assert words[1001].endswith("2003, said by the lowest id, 1001, its own")
        assert words[2003].endswith("1001, said by the lowest id, 1001")
        assert words[1000] == ""


# ── a proof that was tampered with ────────────────────────────────────────────────────────────────────────


def test_every_kind_of_corruption_is_refused(engine: Engine, planted: HasWeights, tmp_path: Path) -> None:
    withheld = next(one for one in groups("mynah")[0] if one not in (1000, 1001, 2003))
    _, _, made = settle(planted, tmp_path, mode="ball", bias=False, token_ids=(1001, 2003, withheld))
    rows = {row.token.token_id: row for row in made.rows}
    spoken, shadowed = rows[withheld], rows[1001]
    assert spoken.certificate is not None
    assert shadowed.certificate is not None
    replace = msgspec.structs.replace
    far = replace(spoken.certificate, x=tuple(3 * one for one in spoken.certificate.x))
    back = replace(spoken.certificate, x=tuple(-one for one in spoken.certificate.x))
    other = replace(shadowed.certificate, token_ids=(2004,))
    unknown = replace(shadowed.certificate, token_ids=(999_999,))
    for bad in (
        replace(spoken, certificate=far),
        replace(spoken, certificate=back),
        replace(spoken, certificate=None),
        replace(spoken, certificate=shadowed.certificate),
        replace(spoken, margin=spoken.margin * 2),
        replace(spoken, own_direction_winner=spoken.token),
        replace(spoken, verdict="unspeakable"),
        replace(shadowed, verdict="speakable"),
        replace(shadowed, certificate=other),
        replace(shadowed, certificate=unknown),
        replace(shadowed, margin=-1.0),
    ):
        assert checked(planted, made, (bad,)).refused == (bad.token.token_id,)
    with pytest.raises(ExplorerError, match="not about the weights"):
        checked(weights_of(engine.models.get("mynah")), made)


def test_what_a_row_says_beside_its_proof_is_checked(planted: HasWeights, tmp_path: Path) -> None:
    withheld = next(one for one in groups("mynah")[0] if one not in (1000, 1001, 2003))
    chosen = {"token_ids": (1001, withheld), "solid_angle": True, "mode": "ball", "bias": False}
    _, _, made = settle(planted, tmp_path, **chosen)
    rows, replace = {row.token.token_id: row for row in made.rows}, msgspec.structs.replace
    spoken, shadowed = rows[withheld], rows[1001]
    assert spoken.on_sphere is True
    assert spoken.solid_angle is not None
    fine = checked(planted, made)
    assert (fine.proved, fine.refused) == (2, ())
    assert fine.notes == ("solid angles are estimates and were not checked",)
    angles = [replace(spoken.solid_angle, **part) for part in (
        {"log10": 5.0}, {"stderr": -0.1}, {"log10": float("nan")}, {"log10": float("-inf")}, {"stderr": float("inf")},
    )]  # fmt: skip
    for bad in (
        *(replace(spoken, solid_angle=angle) for angle in angles),
        replace(spoken, token=replace(spoken.token, text="nonsense")),
        replace(spoken, token=replace(spoken.token, token_bytes="6162")),
        replace(spoken, own_direction_winner=replace(spoken.own_direction_winner, text="nonsense")),
        replace(spoken, on_sphere=False),
        replace(spoken, margin=float("inf")),
        replace(spoken, margin=float("nan")),
        replace(spoken, verdict="undecided", certificate=None, on_sphere=None, solid_angle=None, margin=-5.0),
        replace(spoken, verdict="undecided", certificate=None, on_sphere=None, solid_angle=None, margin=float("nan")),
        replace(spoken, verdict="undecided", certificate=None, on_sphere=None, margin=5.0),
        replace(spoken, verdict="undecided", certificate=None, solid_angle=None, margin=5.0),
        replace(shadowed, on_sphere=True),
        replace(shadowed, solid_angle=spoken.solid_angle),
        replace(shadowed, margin=1.0),
        replace(shadowed, margin=float("inf")),
    ):
        assert checked(planted, made, (bad,)).refused == (bad.token.token_id,)
    open_question = replace(spoken, verdict="undecided", certificate=None, on_sphere=None, solid_angle=None, margin=5.0)
    told = checked(planted, made, (open_question,))
    assert (told.undecided, told.refused) == (1, ())
    assert told.notes == ("the bounds of undecided tokens come without proof",)


def test_a_place_on_the_sphere_is_looked_for_again(engine: Engine, tmp_path: Path) -> None:
    model = weights_of(engine.models.get("mynah"))
    _, _, made = settle(model, tmp_path, token_ids=tuple(groups("mynah")[0][::8]))
    inside = [row for row in made.rows if row.on_sphere is False]
    assert inside
    replace = msgspec.structs.replace
    assert checked(model, made).notes == ("that a token is not found on the sphere is not proved",)
    lying = tuple(replace(row, on_sphere=not row.on_sphere) for row in made.rows)
    assert checked(model, made, lying).refused == tuple(row.token.token_id for row in made.rows)
    silent = tuple(replace(row, on_sphere=None) for row in made.rows)
    assert checked(model, made, silent).refused == ()
    other = msgspec.structs.replace(made, mode="box")
    assert not {row.token.token_id for row in made.rows} - set(checked(model, other).refused)


def test_own_directions_come_with_nothing_else(engine: Engine, cache: Path) -> None:
    model = weights_of(engine.models.get("starling"))
    _, _, made = settle(model, cache, mode="own_direction", token_ids=(300,))
    (row,) = made.rows
    for part in ({"certificate": SpeakabilityCertificate(kind="row_witness")}, {"on_sphere": True}):
        assert checked(model, made, (msgspec.structs.replace(row, **part),)).refused == (300,)
    assert checked(model, made).notes == ()


@pytest.mark.parametrize("token_ids", [(2**63,), (2**70,), (-(2**70),), (2**40,)])
def test_ids_that_no_token_can_have_are_refused(engine: Engine, cache: Path, token_ids: tuple[int, ...]) -> None:
    model = weights_of(engine.models.get("mynah"))
    _, _, made = settle(model, cache, mode="ball", token_ids=(300,))
    proof = SpeakabilityCertificate(kind="weights", token_ids=token_ids, weights=(1.0,))
    bad = msgspec.structs.replace(made.rows[0], verdict="unspeakable", margin=0.0, on_sphere=None, certificate=proof)
    assert checked(model, made, (bad,)).refused == (300,)
    with pytest.raises(ExplorerError, match=f"token {token_ids[0]} of mynah is padding or out of range"):
        settle(model, cache, token_ids=token_ids)


# ── killed, cancelled, refused ────────────────────────────────────────────────────────────────────────────

_RUN = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from explorer.engine.answers.speakability import answer as speaking
from explorer.engine.handlers import Engine
from explorer.engine.control import Control
from explorer.base.records.speakability import ProveSpeakability
speaking.KEPT_EVERY = 0.0
model = Engine().models.load("zoo:mynah")
control = Control(lambda: False, lambda part: None)
for part in speaking.prove_tokens(model, ProveSpeakability(model="mynah"), control, Path(sys.argv[1])):
    print(type(part).__name__, getattr(part, "what", ""), flush=True)
"""


def test_a_run_killed_and_taken_up_ends_like_one_never_interrupted(engine: Engine, cache: Path, tmp_path: Path) -> None:
    model = weights_of(engine.models.get("mynah"))
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    path = ask(model, "ball", bias=True, folded=True).path(tmp_path, "ball")
    for _ in process.stdout:
        if ProofStore(path, write=False).rows:
            os.kill(process.pid, signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    resumed, _, made = settle(model, tmp_path)
    whole, _, uninterrupted = settle(model, cache)
    assert 0 < resumed.reused < resumed.tokens == 3072
    assert resumed.digest == whole.digest
    assert {(row.token.token_id, row.verdict) for row in made.rows} == {
        (row.token.token_id, row.verdict) for row in uninterrupted.rows
    }
    assert checked(model, made).proved == 3072
    done, _, _ = settle(model, tmp_path)
    assert (done.reused, done.digest) == (3072, whole.digest)


def test_cancelling_gives_what_there_is_and_keeps_it(engine: Engine, tmp_path: Path) -> None:
    model, looks = weights_of(engine.models.get("starling")), iter(range(10**6))
    request = ProveSpeakability(model="starling")
    outcome, _ = finished(prove_tokens(model, request, Control(lambda: next(looks) > 60, lambda part: None), tmp_path))
    assert isinstance(outcome, Cancelled)
    assert isinstance(outcome.partial, SpeakabilityResult)
    kept = read_certificates(model, ReadCertificates(of=request), tmp_path)
    assert len(kept.rows) == outcome.partial.tokens < 3072


def test_a_look_at_one_token_does_not_wait_for_a_run_and_a_second_run_is_refused(
    engine: Engine, tmp_path: Path
) -> None:
    model = weights_of(engine.models.get("starling"))
    running = prove_tokens(model, ProveSpeakability(model="starling", mode="cone", bias=False), CONTROL, tmp_path)
    while not isinstance(next(running), SpeakabilityPart):
        pass
    one, _, _ = settle(model, tmp_path, mode="cone", bias=False, token_ids=(300,))
    assert one.rows[0].verdict == "speakable"
    with pytest.raises(ExplorerError, match="another run"):
        settle(model, tmp_path, mode="cone", bias=False)
    result, _ = finished(running)
    assert (result.speakable, result.tokens) == (3072, 3072)


def test_whole_vocabularies_run_in_the_background_and_single_tokens_do_not(engine: Engine) -> None:
    assert engine.job(1, ProveSpeakability(model="mynah")).background
    assert not engine.job(1, ProveSpeakability(model="mynah", token_ids=(5,))).background
    assert not engine.job(1, LoadModel(source="zoo:mynah")).background


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"mode": "cone", "bias": True}, "no bias"),
        ({"token_ids": ()}, "no token"),
        ({"token_ids": (99_999,)}, "out of range"),
        ({"token_ids": (-1,)}, "out of range"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    engine: Engine, cache: Path, chosen: dict[str, Any], said: str
) -> None:
    with pytest.raises(ExplorerError, match=said):
        settle(weights_of(engine.models.get("mynah")), cache, **chosen)


def test_weights_alone_are_asked_about_raw_and_say_which_bias_is_missing(engine: Engine, tmp_path: Path) -> None:
    model = engine.models.load("weights:zoo:mynah")
    with pytest.raises(ExplorerError, match="final norm"):
        settle(model, tmp_path, token_ids=(5,))
    result, _, _ = settle(model, tmp_path, token_ids=(5,), folded=False)
    assert "only the head's own bias" in result.notes[0]


def test_a_forbidden_token_is_unspeakable_and_a_token_without_a_row_is_none(engine: Engine, tmp_path: Path) -> None:
    """A bias of minus infinity forbids a token; where the head has fewer rows, the rest is never predicted."""
    mynah = weights_of(engine.models.get("mynah"))
    matrix = mynah.embeddings().output
    assert matrix is not None
    bias = torch.zeros(len(matrix))
    bias[1000] = -torch.inf
    rows = matrix.clone()
    rows[2000:] = torch.nan
    held = replace(mynah.embeddings(), output=rows, output_bias=bias, tied=False, output_rows=2000)
    files = cast(ModelFiles, SimpleNamespace(vocabulary=mynah.vocabulary, embeddings=held))
    model = EmbeddingsOnly(files, msgspec.structs.replace(mynah.info, abilities=("vocabulary", "weights")))
    result, _, made = settle(model, tmp_path, token_ids=(999, 1000), folded=False)
    assert [row.verdict for row in made.rows] == ["speakable", "unspeakable"]
    assert checked(model, made).refused == ()
    assert any("minus infinity" in note and note.endswith(": 1") for note in result.notes)
    with pytest.raises(ExplorerError, match="token 2001 of mynah"):
        settle(model, tmp_path, token_ids=(2001,), folded=False)
