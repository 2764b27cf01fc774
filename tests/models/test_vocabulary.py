from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from transformers import PreTrainedTokenizerFast

from explorer.base.records.tokens import CATEGORIES, TokenRef
from explorer.engine.models.errors import ModelError
from explorer.engine.models.vocabulary import Vocabulary

Fast = Callable[..., PreTrainedTokenizerFast]
SENTENCES = ("the lyrebird", " the the", "naïve café 東京", "a\n\n\tb  c ", "«then» 🐦‍⬛", "\u202e\x1b[31m")


def category(vocabulary: Vocabulary, token_id: int) -> str:
    return CATEGORIES[int(vocabulary.categories[token_id])]


def ids_where(vocabulary: Vocabulary, name: str) -> list[int]:
    return [int(place) for place in np.flatnonzero(vocabulary.categories == CATEGORIES.index(name))]


# ── laws of every tokenizer ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["byte-level", "metaspace"])
@pytest.mark.parametrize("text", SENTENCES)
def test_bytes_of_an_encoded_segment_are_the_bytes_of_the_text(fast: Fast, kind: str, text: str) -> None:
    vocabulary = Vocabulary(fast(kind))
    ids = vocabulary.encode_segment(text)
    assert vocabulary.decode_bytes(ids) == text.encode()
    assert vocabulary.decode(ids) == text


@pytest.mark.parametrize("kind", ["byte-level", "metaspace", "unigram", "split-unigram", "word-piece"])
def test_a_token_is_reachable_exactly_when_some_text_gives_it(fast: Fast, kind: str) -> None:
    """`ok` tokens re-encode to themselves; `unreachable` ones do not."""
    vocabulary = Vocabulary(fast(kind), rows=320)
    assert ids_where(vocabulary, "ok")
    for token_id in ids_where(vocabulary, "ok"):
        assert vocabulary.reencode(token_id) == [token_id]
    for token_id in ids_where(vocabulary, "unreachable"):
        assert vocabulary.reencode(token_id) != [token_id]


@pytest.mark.parametrize("kind", ["byte-level", "metaspace", "unigram", "split-unigram", "word-piece"])
def test_blob_holds_the_bytes_of_every_token_in_order(fast: Fast, kind: str) -> None:
    vocabulary = Vocabulary(fast(kind), rows=310)
    joined, offsets = vocabulary.blob()
    assert (joined.dtype, offsets.dtype, len(offsets)) == (np.dtype(np.uint8), np.dtype(np.int64), 311)
    for token_id in range(vocabulary.size):
        assert joined[offsets[token_id] : offsets[token_id + 1]].tobytes() == vocabulary.token_bytes(token_id)


@pytest.mark.parametrize("kind", ["byte-level", "metaspace", "word-piece"])
def test_containing_agrees_with_looking_at_every_token(fast: Fast, kind: str) -> None:
    vocabulary = Vocabulary(fast(kind), rows=310)
    tokens = [vocabulary.token_bytes(token_id) for token_id in range(vocabulary.size)]
    for token_id, token in enumerate(tokens):
        others = [other for other in range(len(tokens)) if other != token_id and token and token in tokens[other]]
        assert vocabulary.containing(token_id) == sorted(others, key=lambda other: (len(tokens[other]), other))


@pytest.mark.parametrize("kind", ["byte-level", "metaspace"])
def test_a_merge_joins_the_bytes_of_its_parents(fast: Fast, kind: str) -> None:
    vocabulary = Vocabulary(fast(kind))
    merged = 0
    for token_id in range(vocabulary.size):
        if (parents := vocabulary.merge_parents(token_id)) is not None:
            merged += 1
            assert vocabulary.decode_bytes(parents) == vocabulary.token_bytes(token_id)
    assert merged >= 4


@pytest.mark.parametrize("kind", ["byte-level", "metaspace", "unigram", "split-unigram", "word-piece"])
def test_found_token_has_the_bytes_asked_for(fast: Fast, kind: str) -> None:
    vocabulary = Vocabulary(fast(kind), rows=310)
    for token_id in range(vocabulary.tokenizer_size):
        found = vocabulary.find(vocabulary.token_bytes(token_id))
        assert found is not None
        assert vocabulary.token_bytes(found) == vocabulary.token_bytes(token_id)
    assert vocabulary.find(b"no token has these bytes") is None
    assert vocabulary.find(b"") is None


def test_digest_is_of_the_tokenizer_and_not_of_the_matrix(fast: Fast) -> None:
    narrow, wide = Vocabulary(fast("byte-level")), Vocabulary(fast("byte-level"), rows=512)
    assert narrow.digest() == wide.digest()
    assert len(narrow.digest()) == 32
    assert narrow.digest() != Vocabulary(fast("metaspace")).digest()


# ── rows, ids, names ──────────────────────────────────────────────────────────────────────────────────────


def test_rows_beyond_the_tokenizer_are_padding_and_known_unused(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("byte-level"), rows=310)
    assert (vocabulary.size, vocabulary.tokenizer_size) == (310, 300)
    assert ids_where(vocabulary, "padding") == list(range(300, 310))
    assert vocabulary.token_bytes(305) == b""
    assert vocabulary.reencode(305) == vocabulary.containing(305) == []
    assert {token_id for token_id, reason in vocabulary.known_unused() if reason == "padding row"} == set(
        range(300, 310)
    )


def test_tokenizer_larger_than_the_matrix_is_refused_with_both_sizes(fast: Fast) -> None:
    with pytest.raises(ModelError, match=r"300 ids but the embedding matrix only 299 rows") as refused:
        Vocabulary(fast("byte-level"), rows=299)
    assert refused.value.hint


@pytest.mark.parametrize("token_id", [-1, 300])
def test_id_out_of_range_is_refused_with_the_range(fast: Fast, token_id: int) -> None:
    with pytest.raises(ModelError, match="out of range") as refused:
        Vocabulary(fast("byte-level")).token_bytes(token_id)
    assert "0 to 299" in refused.value.hint


def test_bytes_that_no_utf8_has_are_known_unused(fast: Fast) -> None:
    for kind in ("byte-level", "metaspace"):
        vocabulary = Vocabulary(fast(kind))
        never = {
            vocabulary.token_bytes(i) for i, reason in vocabulary.known_unused() if reason == "byte never in UTF-8"
        }
        assert never == {bytes([byte]) for byte in (0xC0, 0xC1, *range(0xF5, 0x100))}


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("<unused12>", True),
        ("[unused7]", True),
        ("<|reserved_0|>", True),
        ("<|reserved_special_token_17|>", True),
        ("<|extra_id_3|>", True),
        ("<SPECIAL_9>", True),
        ("<|endoftext|>", False),
        ("<extra_id_3>", False),  # T5 trains its sentinels
        ("[MASK]", False),
        ("unused7", False),
    ],
)
def test_names_of_reserved_tokens_are_known_unused(fast: Fast, name: str, unused: bool) -> None:
    tokenizer = fast("byte-level")
    tokenizer.add_special_tokens({"additional_special_tokens": [name]})
    vocabulary = Vocabulary(tokenizer)
    token_id = tokenizer.convert_tokens_to_ids(name)
    assert ((token_id, "name") in vocabulary.known_unused()) == unused
    assert category(vocabulary, token_id) == "special"


def test_token_as_a_record_has_hexadecimal_bytes(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("metaspace"))
    the = vocabulary.find(b" the")
    assert the is not None
    assert vocabulary.ref(the) == TokenRef(token_id=the, token_bytes="20746865", text=" the")
    assert vocabulary.ref(vocabulary.find(b"\xff") or 0).text == "\ufffd"


# ── the conventions of each kind ──────────────────────────────────────────────────────────────────────────


def test_dummy_space_stands_before_a_prompt_but_not_before_a_segment(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("metaspace"))
    assert vocabulary.decode(vocabulary.encode("then", with_prefix=False)) == " then"
    assert vocabulary.decode(vocabulary.encode_segment("then")) == "then"
    anchored = vocabulary.encode("!then", with_prefix=False)  # an anchor that joins with nothing
    assert anchored[len(vocabulary.encode("!", with_prefix=False)) :] == vocabulary.encode_segment("then")


def test_prompt_begins_with_bos_and_never_ends_with_eos(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("metaspace"))
    assert vocabulary.prefix_ids == (1,)
    assert vocabulary.encode("") == [1]
    assert vocabulary.encode("the") == [1, *vocabulary.encode("the", with_prefix=False)]
    assert 2 not in vocabulary.encode("the")
    assert Vocabulary(fast("byte-level")).prefix_ids == ()


def test_truncation_and_padding_in_the_files_do_not_reach_a_prompt(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("word-piece"))
    assert vocabulary.encode("the the the the the the") == [2, *[8] * 6]


def test_word_piece_continuations_have_plain_bytes_and_are_judged_inside_a_word(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("word-piece"))
    pieces = {name: place for place, name in enumerate(["##ing", "##the", "##!"], start=9)}
    assert vocabulary.token_bytes(pieces["##ing"]) == b"ing"
    assert vocabulary.is_continuation(pieces["##ing"])
    assert vocabulary.find(b"the") == 8  # the one that begins a word, not ##the
    assert category(vocabulary, pieces["##ing"]) == "ok"
    assert category(vocabulary, pieces["##!"]) == "unreachable"  # punctuation is split off
    assert category(vocabulary, 4) == "unreachable"  # [unused0] is split into three
    assert category(vocabulary, 18) == "unreachable"  # The is lower-cased
    assert category(vocabulary, 17) == "unreachable"  # ##東: a Chinese character is a word of its own


def test_unigram_token_across_two_words_is_unreachable(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("unigram"))
    across = vocabulary.find(b" the the")
    assert across is not None
    assert category(vocabulary, across) == "unreachable"
    assert category(vocabulary, vocabulary.find(b" the") or 0) == "ok"


def test_tokenizer_that_splits_at_spaces_keeps_its_words_apart_in_segments(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("split-unigram"))
    the, inside = vocabulary.find(b" the"), vocabulary.find(b"the")
    assert vocabulary.encode_segment("the the") == vocabulary.encode("the the") == [the, the]
    assert category(vocabulary, inside or 0) == "ok"  # after a letter: qthe
    assert category(vocabulary, vocabulary.find(b" the the") or 0) == "unreachable"


def test_sentencepiece_file_alone_is_enough(tmp_path: Path) -> None:
    """As the first Llama directories had it; the exact bytes come out all the same."""
    words = ["the", "mynah", "repeats", "what", "it", "hears", "and", "the", "lyrebird", "repeats", "the", "garden"]
    sentences = [" ".join(words[start:] + words[:start]) for start in range(len(words))] * 20
    with (tmp_path / "tokenizer.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=file,
            vocab_size=320,
            model_type="bpe",
            byte_fallback=True,
            minloglevel=2,
        )
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    vocabulary = Vocabulary.from_directory(tmp_path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    assert vocabulary.size == processor.get_piece_size()
    assert vocabulary.encode("the mynah 東", with_prefix=False) == processor.encode("the mynah 東")
    assert vocabulary.decode(vocabulary.encode_segment("the mynah 東")) == "the mynah 東"
    assert len(ids_where(vocabulary, "byte")) == 256


def test_fallback_bytes_give_way_to_the_ordinary_token_of_the_same_byte(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("metaspace"))
    assert category(vocabulary, 3 + 0x74) == "byte"
    ordinary = vocabulary.find(b"t")
    assert ordinary != 3 + 0x74
    assert category(vocabulary, ordinary or 0) == "ok"


def test_single_bytes_are_bytes_and_longer_scraps_fragments(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("byte-level"))
    for name in ("byte", "fragment"):
        for token_id in ids_where(vocabulary, name):
            assert (len(vocabulary.token_bytes(token_id)) == 1) == (name == "byte")
    assert category(vocabulary, vocabulary.find(b"\x1b") or 0) == "byte"
    assert category(vocabulary, vocabulary.find(b"\n") or 0) == "ok"
    assert category(vocabulary, vocabulary.find(b"a") or 0) == "ok"


# ── chat ──────────────────────────────────────────────────────────────────────────────────────────────────

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_chat_prompt_keeps_the_slot_and_ends_with_the_prefill(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("byte-level", chat_template=TEMPLATE))
    prompt = vocabulary.chat_prompt("Say '{token}'.", "It is '")
    assert prompt == "<|im_start|>user\nSay '{token}'.<|im_end|>\n<|im_start|>assistant\nIt is '"
    assert vocabulary.has_chat_template


def test_without_a_chat_template_there_is_no_chat_prompt(fast: Fast) -> None:
    vocabulary = Vocabulary(fast("byte-level"))
    assert vocabulary.chat_prompt("Say '{token}'.") is None
    assert not vocabulary.has_chat_template


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('no') }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ 1 / 0 }}",
        "{% for",
        "{{ messages[7].content }}",
        "nothing of the question",
    ],
)
def test_failing_or_hostile_chat_template_is_a_model_error(fast: Fast, template: str) -> None:
    with pytest.raises(ModelError, match="chat template") as refused:
        Vocabulary(fast("byte-level", chat_template=template)).chat_prompt("Say '{token}'.")
    assert refused.value.hint


def test_replies_end_at_what_configs_tokenizer_and_chat_name(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    for file in tiny("gpt2").iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "generation_config.json").unlink(missing_ok=True)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 9, 100_000]}))
    vocabulary = Vocabulary.from_directory(tmp_path, rows=320)
    assert {0, 1, 7, 9} <= vocabulary.eos_ids  # <|endoftext|>, <|im_end|>, and the two named
    assert max(vocabulary.eos_ids) < 320


# ── real tokenizers ───────────────────────────────────────────────────────────────────────────────────────


def test_gpt2_from_vocab_and_merges_alone(shared: Path) -> None:
    vocabulary = Vocabulary.from_directory(shared / "tokenizers" / "gpt2")
    counts = Counter(CATEGORIES[code] for code in vocabulary.categories)
    assert vocabulary.size == 50_257
    assert counts == {"ok": 49_882, "byte": 158, "fragment": 216, "special": 1}
    assert vocabulary.token_bytes(43453) == b" SolidGoldMagikarp"
    assert vocabulary.find(b" SolidGoldMagikarp") == 43453
    assert vocabulary.encode(" SolidGoldMagikarp") == [43453]
    assert len([1 for _, reason in vocabulary.known_unused() if reason == "byte never in UTF-8"]) == 13
    assert vocabulary.eos_ids == vocabulary.special_ids == {50256}
    parents = vocabulary.merge_parents(43453)
    assert parents is not None
    assert vocabulary.decode_bytes(parents) == b" SolidGoldMagikarp"


def test_stories_has_llama_conventions(stories: Path) -> None:
    vocabulary = Vocabulary.from_directory(stories, rows=512)
    assert vocabulary.prefix_ids == (1,)
    assert vocabulary.decode(vocabulary.encode("Once upon", with_prefix=False)) == " Once upon"
    assert vocabulary.decode(vocabulary.encode_segment("Once upon")) == "Once upon"
    assert Counter(CATEGORIES[code] for code in vocabulary.categories) == {"special": 3, "byte": 256, "ok": 253}


def test_minilm_has_994_unused_names_and_none_is_reachable(minilm: Path) -> None:
    vocabulary = Vocabulary.from_directory(minilm, rows=30_522)
    unused = [token_id for token_id, reason in vocabulary.known_unused() if reason == "name"]
    assert len(unused) == 994
    assert {category(vocabulary, token_id) for token_id in unused} == {"unreachable"}
    continuations = [i for i in ids_where(vocabulary, "ok") if vocabulary.is_continuation(i)]
    assert len(continuations) > 5_000
