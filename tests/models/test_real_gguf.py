"""Two real models out of GGUF files: matrices, bytes and replies against what is known of them by other means."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from explorer.base.records.tokens import CATEGORIES
from explorer.engine.models.checkpoints.gguf_files import INPUT
from explorer.engine.models.checkpoints.gguf_header import read_gguf_header
from explorer.engine.models.local import EmbeddingsOnly, LocalModel
from explorer.engine.models.roster import Roster
from explorer.engine.models.vocabulary import Vocabulary

TWINS = [5, *range(7, 17), 36_743, 36_744, 45_175, 48_047]
"""SmolLM2's rows with a bit-identical twin, as found in the checkpoint that was converted from this file."""
STEP = 61
"""Every row of this many is dequantised by the gguf package too, which takes its time."""


def weights_of(file: Path) -> EmbeddingsOnly:
    model = Roster().load(f"weights:{file}")
    assert isinstance(model, EmbeddingsOnly)
    return model


@pytest.fixture(scope="module")
def smollm2(smollm2_gguf: Path) -> EmbeddingsOnly:
    return weights_of(smollm2_gguf)


@pytest.fixture(scope="module")
def gemma(gemma_gguf: Path) -> EmbeddingsOnly:
    return weights_of(gemma_gguf)


def check_rows(model: EmbeddingsOnly, file: Path) -> None:
    """The matrix against the gguf package's own numbers, of one row in `STEP`."""
    stored = read_gguf_header(file).tensors[INPUT]
    raw = np.memmap(file, np.uint8, "r", stored.begin, (stored.end - stored.begin,)).reshape(stored.shape[0], -1)
    expected = gguf.dequantize(np.array(raw[::STEP]), Kind[stored.dtype])
    assert stored.dtype == "Q8_0"
    assert np.array_equal(model.embeddings().input[::STEP].numpy(), expected)


def norms(model: EmbeddingsOnly) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    lengths: np.ndarray[tuple[int], np.dtype[np.float64]] = model.embeddings().input.double().norm(dim=1).numpy()
    return lengths


def counted(vocabulary: Vocabulary) -> dict[str, int]:
    return dict(Counter(CATEGORIES[code] for code in vocabulary.categories))


def test_the_head_of_the_file_is_what_the_gguf_package_reads(smollm2_gguf: Path) -> None:
    ours, theirs = read_gguf_header(smollm2_gguf), gguf.GGUFReader(smollm2_gguf)
    placed = {name: (tensor.dtype, tensor.begin, tensor.end - tensor.begin) for name, tensor in ours.tensors.items()}
    assert placed == {t.name: (t.tensor_type.name, t.data_offset, t.n_bytes) for t in theirs.tensors}
    assert [t.shape[::-1].tolist() for t in theirs.tensors] == [
        list(ours.tensors[t.name].shape) for t in theirs.tensors
    ]
    for key, value in ours.metadata.items():
        found = theirs.fields[key].contents()
        assert (value.tolist() if isinstance(value, np.ndarray) else value) == found, key


def test_smollm2s_matrix(smollm2: EmbeddingsOnly, smollm2_gguf: Path) -> None:
    check_rows(smollm2, smollm2_gguf)
    info = smollm2.info
    assert (info.vocab_size, info.d_model, info.tied, info.n_layers, info.context) == (49_152, 576, True, 30, 8_192)
    assert info.quantisation == "embeddings Q8_0, blocks Q4_1"
    assert smollm2.notes == (f"quantised weights ({info.quantisation}), dequantised for every number",)
    assert (norms(smollm2).min(), norms(smollm2).max()) == pytest.approx((1.79292, 7.49487), abs=1e-5)
    rows = smollm2.embeddings().input.numpy()
    _, inverse, counts = np.unique(
        rows.view(f"V{rows.itemsize * rows.shape[1]}"), return_inverse=True, return_counts=True
    )
    assert np.flatnonzero(counts[inverse.ravel()] > 1).tolist() == TWINS


def test_smollm2s_vocabulary(smollm2: EmbeddingsOnly) -> None:
    vocabulary = smollm2.vocabulary
    assert vocabulary.digest() == "c7c606a6672eb193e7f5fce6ec9833ec", "as of the checkpoint converted from this file"
    assert counted(vocabulary) == {"ok": 48_798, "fragment": 200, "byte": 137, "special": 17}
    known = {0: b"<|endoftext|>", 2: b"<|im_end|>", 138: b"\xbd", 12_039: b" yoga", 36_743: b"PlaneProtection"}
    assert {token_id: vocabulary.token_bytes(token_id) for token_id in known} == known
    assert vocabulary.eos_ids == frozenset({2})
    assert vocabulary.prefix_ids == ()
    words = [vocabulary.text(token_id) for token_id in vocabulary.encode("in 1984, café 東京")]
    assert words[:7] == ["in", " ", "1", "9", "8", "4", ","], "digits one by one"
    prompt = vocabulary.chat_prompt("Repeat {token}")
    assert prompt is not None
    assert prompt.endswith("<|im_start|>user\nRepeat {token}<|im_end|>\n<|im_start|>assistant\n")


def test_smollm2_knows_the_capital_of_france(smollm2_gguf: Path) -> None:
    model = Roster().load(str(smollm2_gguf))
    assert isinstance(model, LocalModel)
    question = model.vocabulary.chat_prompt("What is the capital of France?")
    assert question is not None
    replies = []
    for prompt in ("The capital of France is", question):
        ids = model.vocabulary.encode(prompt, with_prefix=False)
        with torch.no_grad():
            reply = model.hf.generate(torch.tensor([ids]), max_new_tokens=8, do_sample=False)[0, len(ids) :]
        replies.append(model.vocabulary.decode(reply.tolist()))
    assert replies[0].startswith(" Paris")
    assert "Paris" in replies[1]


def test_gemmas_matrix(gemma: EmbeddingsOnly, gemma_gguf: Path) -> None:
    check_rows(gemma, gemma_gguf)
    assert (gemma.info.vocab_size, gemma.info.d_model, gemma.info.tied) == (262_144, 640, True)
    assert gemma.info.quantisation == "embeddings Q8_0, blocks Q5_0 Q4_K Q6_K Q8_0"
    assert (norms(gemma).min(), norms(gemma).max()) == pytest.approx((1.02756, 1.03511), abs=1e-5)


def test_gemmas_vocabulary(gemma: EmbeddingsOnly) -> None:
    vocabulary = gemma.vocabulary
    assert vocabulary.digest() == "9056a5abd0b949fb289b021640a3fdda", "as of the checkpoint converted from this file"
    assert counted(vocabulary) == {"ok": 255_622, "special": 6_249, "byte": 269, "unreachable": 4}
    known = {2: b"<bos>", 138: b"  ", 261: b"\x17", 250_497: b"\xf0\x92\x85\xb4", 262_143: b"<unused6241>"}
    assert {token_id: vocabulary.token_bytes(token_id) for token_id in known} == known
    assert vocabulary.eos_ids == frozenset({1, 106})
    assert vocabulary.prefix_ids == (2,)
    assert Counter(reason for _, reason in vocabulary.known_unused()) == {"name": 6_242, "byte never in UTF-8": 13}
    spaces = vocabulary.encode("a" + " " * 36 + "b", with_prefix=False)
    assert [vocabulary.text(token_id) for token_id in spaces] == ["a", " " * 31, " " * 5, "b"], "the longest run first"
