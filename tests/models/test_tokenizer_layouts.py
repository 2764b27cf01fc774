"""Where a folder has a tokenizer.json, that file is the tokenizer: ids, bytes and categories are the file's own."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from explorer.base.records.tokens import CATEGORIES
from explorer.engine.behaviour.prompts import fill_text
from explorer.engine.models.errors import ModelError, PromptError
from explorer.engine.models.vocabulary import Vocabulary
from tests.models.tokenizer_layouts import GPT4_WORDS, LAYOUTS, write_layout

SAMPLES = (
    "The mynah", "the Lyrebird repeats 123 times", " two  spaces", "In 2024 say «the»", "naïve café 東京",
    "it's\n\n\ta line", "AND the garden:",
)  # fmt: skip


@pytest.fixture(scope="module", params=LAYOUTS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tokenizer, Vocabulary]:
    """A layout's name, the tokenizer that its file holds, and what the explorer reads of the folder."""
    folder = tmp_path_factory.mktemp(request.param)
    own = write_layout(request.param, folder)
    return request.param, own, Vocabulary.from_directory(folder)


def test_prompts_have_the_ids_of_the_file(case: tuple[str, Tokenizer, Vocabulary]) -> None:
    _, own, vocabulary = case
    for text in SAMPLES:
        assert vocabulary.encode(text, with_prefix=False) == own.encode(text, add_special_tokens=False).ids
        whole = own.encode(text)
        inside = len(whole.ids) - whole.special_tokens_mask[::-1].index(0)
        assert vocabulary.encode(text) == whole.ids[:inside]


def test_bytes_are_those_that_the_file_writes(case: tuple[str, Tokenizer, Vocabulary]) -> None:
    name, own, vocabulary = case
    layout = LAYOUTS[name]
    assert vocabulary.size == own.get_vocab_size()
    for piece, wanted in layout.bytes_of.items():
        token_id = own.token_to_id(piece)
        assert token_id is not None, piece
        assert vocabulary.token_bytes(token_id) == wanted
    for text in SAMPLES:
        ids = vocabulary.encode_segment(text)
        if layout.lossless:
            assert vocabulary.decode_bytes(ids) == text.encode()
        elif not vocabulary.special_ids & {*ids}:  # else a character is unknown
            said = own.decode(ids).replace(" ", "").replace("</w>", "")  # CLIP's decoder leaves the marks
            assert vocabulary.decode(ids).replace(" ", "").replace("\n", "") == said.replace("\n", "")


def test_a_token_counts_as_unreachable_exactly_where_the_file_never_gives_it(
    case: tuple[str, Tokenizer, Vocabulary],
) -> None:
    _, own, vocabulary = case
    names = [CATEGORIES[code] for code in vocabulary.categories]
    assert names.count("ok") > 40
    for token_id, category in enumerate(names):
        if category in ("ok", "unreachable"):
            given = _is_given(own, token_id, vocabulary.text(token_id))
            assert given == (category == "ok"), (own.id_to_token(token_id), category)


def _is_given(own: Tokenizer, token_id: int, text: str) -> bool:
    """Whether the file's tokenizer gives the token for its text: alone, after a space, or inside a word."""
    around = [(before, after) for before in ("", "a", "q", "x", " ", "\n") for after in ("", "q", "x", " q")]
    return any(
        token_id in own.encode(before + said + after, add_special_tokens=False).ids
        for said in {text, text.lstrip(" "), text.rstrip(" ")}
        for before, after in around
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_stands_beside_the_file_gives_names_only(name: str, tmp_path: Path) -> None:
    """No normaliser and no regular expression of a class, nor rows for names that the file does not have."""
    own = write_layout(name, tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {"pad_token": "[NOWHERE]", "fix_mistral_regex": True, "do_lower_case": True, "add_prefix_space": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    vocabulary = Vocabulary.from_directory(tmp_path)
    assert vocabulary.size == own.get_vocab_size()
    for text in SAMPLES:
        assert vocabulary.encode(text, with_prefix=False) == own.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("name", ["tokenizers/gpt2", "models/stories260K"])
def test_real_tokenizers_give_their_own_ids(shared: Path, name: str) -> None:
    folder = shared / name
    if (folder / "tokenizer.json").is_file():
        own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        own = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
        own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    vocabulary = Vocabulary.from_directory(folder)
    for text in SAMPLES:
        assert vocabulary.encode(text, with_prefix=False) == own.encode(text, add_special_tokens=False).ids
        assert vocabulary.decode_bytes(vocabulary.encode_segment(text)) == text.encode()


# ── kinds of faults ───────────────────────────────────────────────────────────────────────────────────────


def wrapped(tokenizer: Tokenizer, **options: object) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **options)


def test_merges_are_not_left_out_at_random() -> None:
    """A tokenizer.json that keeps the BPE-dropout of its training (huggingface/tokenizers#644)."""
    structure = json.loads(LAYOUTS["gpt2"].build().to_str())
    plain = Tokenizer.from_str(json.dumps(structure))
    structure["model"]["dropout"] = 0.6
    vocabulary = Vocabulary(wrapped(Tokenizer.from_str(json.dumps(structure))))
    for text in SAMPLES:
        assert vocabulary.encode(text) == plain.encode(text).ids
    assert (vocabulary.categories == Vocabulary(wrapped(plain)).categories).all()


def test_bos_is_kept_where_the_tokenizer_cannot_write_an_a() -> None:
    """DNA, protein and MIDI vocabularies have few letters and no token for the others."""
    pieces = {"[BOS]": 0, "[EOS]": 1, "C": 2, "G": 3, "T": 4, "CG": 5}
    tokenizer = Tokenizer(models.BPE(pieces, [("C", "G")]))
    tokenizer.add_special_tokens(["[BOS]", "[EOS]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 0), ("[EOS]", 1)]
    )
    vocabulary = Vocabulary(wrapped(tokenizer))
    assert vocabulary.prefix_ids == (0,)
    assert vocabulary.encode("CGT") == [0, 5, 4]
    assert vocabulary.lost_letters("CG T") == ""
    assert set(vocabulary.lost_letters("say CGT")) == {*"say"}
    with pytest.raises(PromptError, match="no tokens for 'say' and would drop them"):
        fill_text(vocabulary, "say CGT", None)
    assert fill_text(vocabulary, "CGT", None).ids == (0, 5, 4)


def test_a_text_that_the_tokenizer_refuses_is_refused_in_words() -> None:
    vocabulary = Vocabulary(wrapped(Tokenizer(models.Unigram([("a", -1.0), ("b", -2.0)]))))
    with pytest.raises(PromptError, match="cannot write this text"):
        vocabulary.encode("abc")


def test_added_tokens_beyond_the_matrix_are_noted_and_others_refused() -> None:
    """gemma-3-1b has <image_soft_token> at 262,144 of 262,144 rows; CodeLlama-34b has four."""
    tokenizer = LAYOUTS["llama"].build()
    rows = tokenizer.get_vocab_size()
    tokenizer.add_special_tokens(["<image_soft_token>"])
    vocabulary = Vocabulary(wrapped(tokenizer), rows=rows)
    assert vocabulary.size == rows
    assert vocabulary.notes == (
        f"1 added token has no row in the embedding matrix: <image_soft_token> ({rows})",
    )  # fmt: skip
    assert vocabulary.digest() == Vocabulary(wrapped(tokenizer)).digest()
    with pytest.raises(ModelError, match="out of range"):
        vocabulary.token_bytes(rows)
    with pytest.raises(ModelError, match=f"{rows + 1} ids but the embedding matrix only {rows - 1} rows"):
        Vocabulary(wrapped(tokenizer), rows=rows - 1)


def test_special_tokens_and_chat_template_are_read_from_beside_the_file(tmp_path: Path) -> None:
    write_layout("gpt2", tmp_path)
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"eos_token": {"content": "Ġthe", "lstrip": False}}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "config {{ messages[0].content }}"}))
    vocabulary = Vocabulary.from_directory(tmp_path)
    assert vocabulary.tokenizer.eos_token == "Ġthe"
    assert vocabulary.eos_ids == {vocabulary.tokenizer.eos_token_id}
    assert vocabulary.chat_prompt("hi {token}") == "config hi {token}"
    (tmp_path / "chat_template.jinja").write_text("file {{ messages[0].content }}")
    assert Vocabulary.from_directory(tmp_path).chat_prompt("hi {token}") == "file hi {token}"


def test_chat_template_of_a_processor_and_named_templates_are_found(tmp_path: Path) -> None:
    write_layout("gpt2", tmp_path)
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "processor {{ messages[0].content }}"}))
    assert Vocabulary.from_directory(tmp_path).chat_prompt("hi") == "processor hi"
    named = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "{{ messages[0].content }}!"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert Vocabulary.from_directory(tmp_path).chat_prompt("hi") == "hi!"


def test_a_token_that_only_the_config_declares_gets_the_id_declared(tmp_path: Path) -> None:
    own = write_layout("gpt2", tmp_path)
    size = own.get_vocab_size()
    entry = {"content": "<|new|>", "special": True, "lstrip": False, "rstrip": False, "normalized": False}
    for declared, wanted in ((size, size + 1), (size + 5, size)):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": {str(declared): entry}}))
        vocabulary = Vocabulary.from_directory(tmp_path)
        assert vocabulary.size == wanted, "no token gets another id than the one declared"


def test_an_entry_that_vocab_txt_repeats_is_no_row_without_a_token(tmp_path: Path) -> None:
    """ERNIE's vocab.txt has `$` twice; the tokenizer keeps the last id, and the first would pass for padding, which
    indicators take for untrained (PaddlePaddle/PaddleNLP#5974)."""
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "$", "the", "##s", "q", "$", "a"]
    (tmp_path / "vocab.txt").write_text("\n".join(entries) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    vocabulary = Vocabulary.from_directory(tmp_path, rows=12)
    assert [vocabulary.token_bytes(token_id).decode() for token_id in range(5, 12)] == [*"$", "the", "s", *"q$a", ""]
    names = [CATEGORIES[code] for code in vocabulary.categories]
    assert names[5:] == ["unreachable", "ok", "ok", "ok", "ok", "ok", "padding"]
    assert [token_id for token_id, _ in vocabulary.known_unused()] == [11]


def test_tekken_alone_begins_with_bos_and_ends_at_eos(tmp_path: Path) -> None:
    """As mistral-common writes it: [1, 279, 52] for 'the ' where 20 special tokens come first; transformers' conversion
    of the file has neither BOS nor EOS."""
    tokens = [*(bytes([byte]) for byte in range(256)), b"th", b"he", b"the"]
    vocab = [{"rank": rank, "token_bytes": b64encode(token).decode()} for rank, token in enumerate(tokens)]
    names = ["<unk>", "<s>", "</s>", "[INST]"]
    specials = [{"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(names)]
    config = {"pattern": GPT4_WORDS, "default_vocab_size": 20 + len(tokens), "default_num_special_tokens": 20}
    content = {"config": config, "vocab": vocab, "special_tokens": specials}
    (tmp_path / "tekken.json").write_text(json.dumps(content))
    vocabulary = Vocabulary.from_directory(tmp_path)
    assert vocabulary.encode("the ") == [1, 20 + tokens.index(b"the"), 20 + ord(" ")]
    assert vocabulary.eos_ids == {2}
    assert vocabulary.token_bytes(278) == b"the"
    assert [token_id for token_id, why in vocabulary.known_unused() if why == "name"] == list(range(4, 20))


def test_a_bos_that_only_the_config_asks_for_is_told(tmp_path: Path) -> None:
    write_layout("yi", tmp_path)
    for asked in (True, False):
        config = {"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "add_bos_token": asked}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
        vocabulary = Vocabulary.from_directory(tmp_path)
        assert vocabulary.prefix_ids == ()
        assert len(vocabulary.notes) == asked
    assert "add_bos_token" not in str(vocabulary.notes)
