"""Vocabularies of GGUF files: ids, bytes, categories and ids of texts as in the tokenizers they were written from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, pre_tokenizers

from explorer.base.records.tokens import CATEGORIES
from explorer.engine.models.errors import ModelError
from explorer.engine.models.roster import Roster
from explorer.engine.models.vocabulary import Vocabulary
from tests.models import gguf_samples as samples
from tests.models.conftest import TEXT, byte_level_tokenizer, metaspace_tokenizer
from tests.models.gguf_samples import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED

DIGITS_TEXT = "in 1984, 12 mynahs said naïve 東京"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """`read(metadata, rows=…)`: the vocabulary of a GGUF file with these metadata."""

    def read_vocabulary(metadata: dict[str, Any], rows: int | None = None) -> Vocabulary:
        size = len(metadata["tokenizer.ggml.tokens"])
        file = samples.write_gguf(tmp_path / "model.gguf", samples.matrices(rows or size), metadata)
        return Roster().load(f"weights:{file}").vocabulary

    return read_vocabulary


def categories(vocabulary: Vocabulary) -> list[str]:
    return [CATEGORIES[code] for code in vocabulary.categories]


# ── byte-level ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_byte_level_vocabulary_is_its_tokenizers(read: Any, fast: Any) -> None:
    expected = Vocabulary(fast("byte-level"), 320)
    found = read(samples.byte_level_metadata(byte_level_tokenizer(), rows=320))
    assert [found.token_bytes(i) for i in range(320)] == [expected.token_bytes(i) for i in range(320)]
    assert found.digest() == expected.digest()
    assert categories(found) == categories(expected)
    assert found.special_ids == expected.special_ids
    assert found.eos_ids == {0, 1}, "the named one, and <|im_end|>"
    assert found.known_unused() == expected.known_unused()
    assert [found.merge_parents(i) for i in range(320)] == [expected.merge_parents(i) for i in range(320)]
    for text in (*TEXT, DIGITS_TEXT, "<|im_end|>the"):
        assert found.encode(text) == expected.encode(text)
    assert found.notes == ()


def digits(tokenizer: Tokenizer) -> None:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])


@pytest.mark.parametrize("pre", ["smollm", "starcoder", "refact", "command-r"])
def test_digits_stand_alone_where_the_file_says_so(read: Any, pre: str) -> None:
    original = byte_level_tokenizer()
    metadata = samples.byte_level_metadata(original, pre=pre)
    together = original.encode("1234567890").ids
    digits(original)
    assert original.encode("1234567890").ids != together, "the tokenizer has merges of digits"
    found = read(metadata)
    for text in (*TEXT, DIGITS_TEXT, "1234567890"):
        assert found.encode(text) == original.encode(text).ids


@pytest.mark.parametrize(
    ("pre", "words"),
    [
        ("gpt-2", ["in", " 1984", ",", " 12"]),
        ("llama-bpe", ["in", " ", "198", "4", ",", " ", "12"]),
        ("qwen2", ["in", " ", "1", "9", "8", "4", ",", " ", "1", "2"]),
        ("deepseek-v3", ["in", " ", "198", "4", ",", " ", "12"]),
        ("deepseek-llm", ["in", " ", "1984", ",", " ", "12"]),
        ("falcon", ["in", " ", "198", "4", ",", " 12"]),
        ("deepseek-coder", ["in", " ", "1", "9", "8", "4", ",", " ", "1", "2"]),
        ("tekken", ["in", " ", "1", "9", "8", "4", ",", " ", "1", "2"]),
        ("smollm", ["in", " ", "1", "9", "8", "4", ",", " ", "1", "2"]),
    ],
)
def test_text_is_split_as_the_named_pre_tokenizer_does(read: Any, pre: str, words: list[str]) -> None:
    vocabulary = read(samples.byte_level_metadata(byte_level_tokenizer(), pre=pre))
    backend = vocabulary.tokenizer.backend_tokenizer
    spelled = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str("in 1984, 12")]
    assert [word.replace("Ġ", " ") for word in spelled] == words
    assert vocabulary.notes == ()


@pytest.mark.parametrize("pre", ["tomorrow", "default", ""])
def test_an_unknown_pre_tokenizer_is_told(read: Any, pre: str) -> None:
    metadata = samples.byte_level_metadata(byte_level_tokenizer(), pre=pre)
    if not pre:
        del metadata["tokenizer.ggml.pre"]
    vocabulary = read(metadata)
    named = "names the pre-tokenizer 'tomorrow'" if pre == "tomorrow" else "names no pre-tokenizer"
    assert len(vocabulary.notes) == 1
    assert named in vocabulary.notes[0]
    assert vocabulary.encode(TEXT[0]) == byte_level_tokenizer().encode(TEXT[0]).ids


def test_tokens_of_the_same_text_keep_their_bytes(read: Any) -> None:
    metadata = samples.byte_level_metadata(byte_level_tokenizer())
    size = len(metadata["tokenizer.ggml.tokens"])
    metadata["tokenizer.ggml.tokens"] += ["the", "Ġunused"]
    metadata["tokenizer.ggml.token_type"] += [NORMAL, UNUSED]
    vocabulary = read(metadata)
    assert [vocabulary.token_bytes(size), vocabulary.token_bytes(size + 1)] == [b"the", b" unused"]
    assert categories(vocabulary)[size] == "unreachable"
    assert (size + 1, "marked unused") in vocabulary.known_unused()
    assert vocabulary.notes == ("1 token of the GGUF file has the same text as another one",)


def test_merges_of_tokens_that_are_not_there_are_left_out_and_told(read: Any) -> None:
    metadata = samples.byte_level_metadata(byte_level_tokenizer())
    metadata["tokenizer.ggml.merges"] += ["qq zz", "nospace", "", " x"]
    vocabulary = read(metadata)
    assert vocabulary.notes == ("4 merges of the GGUF file name tokens that it does not have",)
    assert vocabulary.encode(TEXT[0]) == byte_level_tokenizer().encode(TEXT[0]).ids


def test_the_chat_template_and_the_first_token_are_the_files(read: Any) -> None:
    metadata = samples.byte_level_metadata(byte_level_tokenizer()) | {
        "tokenizer.chat_template": "{{ messages[0].content }}<|im_end|>",
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
    }
    vocabulary = read(metadata)
    assert vocabulary.chat_prompt("hello {token}") == "hello {token}<|im_end|>"
    assert vocabulary.prefix_ids == (0,)
    assert read(metadata | {"tokenizer.ggml.add_bos_token": False}).prefix_ids == ()


# ── SentencePiece ─────────────────────────────────────────────────────────────────────────────────────────────


def sentencepiece_metadata() -> dict[str, Any]:
    """The small Llama tokenizer; its merges must be found again from the scores."""
    original = metaspace_tokenizer()
    structure = json.loads(original.to_str())
    tokens = [str(original.id_to_token(token_id)) for token_id in range(original.get_vocab_size())]
    types = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * (len(tokens) - 259)]
    wholes = {left + right: -float(place) for place, (left, right) in enumerate(structure["model"]["merges"])}
    return samples.vocabulary_metadata("llama", tokens, types) | {
        "tokenizer.ggml.scores": [wholes.get(token, -1000.0) for token in tokens],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def test_a_sentencepiece_vocabulary_is_its_tokenizers(read: Any, fast: Any) -> None:
    expected = Vocabulary(fast("metaspace", unk_token="<unk>", bos_token="<s>", eos_token="</s>"))
    found = read(sentencepiece_metadata())
    assert [found.token_bytes(i) for i in range(found.size)] == [expected.token_bytes(i) for i in range(found.size)]
    assert found.digest() == expected.digest()
    assert categories(found) == categories(expected)
    assert found.prefix_ids == expected.prefix_ids == (1,)
    assert [found.merge_parents(i) for i in range(found.size)] == [expected.merge_parents(i) for i in range(found.size)]
    for text in ("the then", " the", "naïve 東京", "<s>the"):
        assert found.encode(text) == expected.encode(text)
        assert found.encode_segment(text) == expected.encode_segment(text)


def test_no_space_is_put_before_a_text_where_the_file_says_so(read: Any) -> None:
    metadata = sentencepiece_metadata()
    tokens = metadata["tokenizer.ggml.tokens"]
    assert read(metadata).encode("the", with_prefix=False) == [tokens.index("▁the")]
    without = read(metadata | {"tokenizer.ggml.add_space_prefix": False})
    assert without.encode("the", with_prefix=False) == [tokens.index("t"), tokens.index("he")]


def test_pieces_that_a_user_defined_are_found_whole_before_all_others(read: Any) -> None:
    metadata = sentencepiece_metadata()
    size = len(metadata["tokenizer.ggml.tokens"])
    metadata["tokenizer.ggml.tokens"] += ["   ", "<table>"]
    metadata["tokenizer.ggml.token_type"] += [USER_DEFINED, USER_DEFINED]
    metadata["tokenizer.ggml.scores"] += [0.0, 0.0]
    vocabulary = read(metadata)
    assert [vocabulary.token_bytes(size), vocabulary.token_bytes(size + 1)] == [b"   ", b"<table>"]
    assert vocabulary.encode_segment("t   <table>") == [vocabulary.find(b"t"), size, size + 1]
    assert categories(vocabulary)[size:] == ["ok", "ok"]


# ── others ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bert_vocabulary_is_spelt_as_berts_own(read: Any) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁the", "ing", "▁t", "h"]
    types = [CONTROL, UNKNOWN, CONTROL, CONTROL, NORMAL, NORMAL, NORMAL, NORMAL]
    named = {"tokenizer.ggml.bos_token_id": 2, "tokenizer.ggml.unknown_token_id": 1}
    vocabulary = read(samples.vocabulary_metadata("bert", tokens, types) | named)
    assert [vocabulary.token_bytes(i) for i in range(4, 8)] == [b"the", b"ing", b"t", b"h"]
    assert [vocabulary.is_continuation(i) for i in range(4, 8)] == [False, True, False, True]
    assert vocabulary.encode("Theing th") == [2, 4, 5, 6, 7]


def test_a_unigram_vocabulary_takes_the_likeliest_pieces(read: Any) -> None:
    tokens = ["<pad>", "</s>", "<unk>", "▁", "▁the", "the", "t", "h", "e"]
    types = [CONTROL, CONTROL, UNKNOWN, *[NORMAL] * 6]
    scores = {"tokenizer.ggml.scores": [0.0, 0.0, 0.0, -3.0, -1.0, -2.0, -5.0, -5.0, -5.0]}
    vocabulary = read(
        samples.vocabulary_metadata("t5", tokens, types) | scores | {"tokenizer.ggml.unknown_token_id": 2}
    )
    assert vocabulary.token_bytes(4) == b" the"
    assert vocabulary.encode("the") == [4]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokenizer.ggml.model": "rwkv"}, r"is of the kind 'rwkv', which is not supported"),
        ({"tokenizer.ggml.model": "x" * 999}, r"is of the kind 'x{40}', which is not supported"),
        ({"tokenizer.ggml.tokens": []}, "holds no vocabulary"),
        ({"tokenizer.ggml.tokens": 7}, "holds no vocabulary"),
        ({"tokenizer.ggml.token_type": [1, 1]}, "has 300 tokens but types of 2"),
    ],
)
def test_vocabularies_that_cannot_be_read_are_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    metadata = {**samples.byte_level_metadata(byte_level_tokenizer()), **change}
    file = samples.write_gguf(tmp_path / "model.gguf", samples.matrices(320), metadata)
    with pytest.raises(ModelError, match=said):
        Roster().load(f"weights:{file}")


def test_scores_that_are_no_numbers_are_refused_or_give_some_order(read: Any) -> None:
    metadata = sentencepiece_metadata()
    metadata["tokenizer.ggml.scores"] = [float("nan")] * len(metadata["tokenizer.ggml.tokens"])
    assert read(metadata).size == len(metadata["tokenizer.ggml.tokens"])
    assert np.isnan(metadata["tokenizer.ggml.scores"][0])
