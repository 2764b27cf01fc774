"""Small tokenizers in the layouts of well-known ones, each with the class that its tokenizer_config.json names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = [
    "The mynah repeats what it hears; the Lyrebird repeats the chainsaw, and the camera 123 times in 2024.",
    "A Starling sang in the garden, the garden sang back: the the the and And AND",
    "naïve café 東京 привет « » 'quoted' 1234567890 it's I'm",
] * 3
GPT4_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|" + GPT4_WORDS
CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True)
class Layout:
    """A tokenizer as its file has it, and what stands beside the file."""

    build: Callable[[], Tokenizer]
    tokenizer_class: str
    model_type: str
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    """Pieces that the vocabulary has, and the bytes that they stand for."""
    lossless: bool = True
    """Whether every text comes back from its ids, byte for byte."""
    beside: dict[str, Any] = field(default_factory=dict)
    """More of tokenizer_config.json."""


def _train(tokenizer: Tokenizer, specials: Sequence[str], size: int = 420, **options: Any) -> Tokenizer:
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), show_progress=False, **options)
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def _put_first(tokenizer: Tokenizer, first: str, last: str = "") -> Tokenizer:
    names = [name for name in (first, last) if name]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}".strip(),
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in names],
    )
    return tokenizer


def _byte_level(
    before: Sequence[Any], specials: Sequence[str], normalizer: Any = None, *, use_regex: bool = False
) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*before, last])
    tokenizer.decoder = decoders.ByteLevel()
    return _train(tokenizer, specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def _with_piece(tokenizer: Tokenizer, piece: str, **model: Any) -> Tokenizer:
    """With one more piece, which no merge makes."""
    structure = json.loads(tokenizer.to_str())
    structure["model"]["vocab"][piece] = len(structure["model"]["vocab"])
    structure["model"] |= model
    return Tokenizer.from_str(json.dumps(structure))


def gpt2() -> Tokenizer:
    return _with_piece(_byte_level([], ["<|endoftext|>"], use_regex=True), "Ġchainsaws")


def qwen2() -> Tokenizer:
    words = pre_tokenizers.Split(Regex(QWEN_WORDS), "isolated")
    return _byte_level([words], ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizers.NFC())


def deepseek() -> Tokenizer:
    digits = pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated")
    characters = pre_tokenizers.Split(Regex("[一-龥]+"), "isolated")
    tokenizer = _byte_level([digits, characters], ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"])
    return _put_first(tokenizer, "<｜begin▁of▁sentence｜>")


def smollm2() -> Tokenizer:
    return _byte_level([pre_tokenizers.Digits(individual_digits=True)], ["<|endoftext|>", "<|im_end|>"], use_regex=True)


def tekken() -> Tokenizer:
    """A word of the vocabulary is taken whole, whatever the merges (`ignore_merges`)."""
    words = pre_tokenizers.Split(Regex(GPT4_WORDS), "isolated")
    tokenizer = _byte_level([words], ["<unk>", "<s>", "</s>", "[INST]", "<SPECIAL_20>"])
    return _put_first(_with_piece(tokenizer, "Ġchainsaws", ignore_merges=True), "<s>")


def _sentencepiece_bpe(normalizer: Any, pre_tokenizer: Any = None, specials: Sequence[str] = ()) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    names = ["<unk>", "<s>", "</s>", *specials]
    split = Tokenizer(models.BPE(unk_token="<unk>"))  # trained on words, as SentencePiece does
    split.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    _train(split, [*names, *fallback], size=420)
    trained = json.loads(split.to_str())["model"]
    structure = json.loads(tokenizer.to_str())
    structure["model"] |= {"vocab": trained["vocab"], "merges": trained["merges"]}
    built = Tokenizer.from_str(json.dumps(structure))
    built.add_special_tokens(names)
    return built


def llama() -> Tokenizer:
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return _put_first(_with_piece(_sentencepiece_bpe(spaces), "▁chainsaws"), "<s>")


def gemma() -> Tokenizer:
    words = pre_tokenizers.Split(" ", "merged_with_previous")
    return _put_first(_sentencepiece_bpe(normalizers.Replace(" ", "▁"), words, ["<unused0>"]), "<s>")


def yi() -> Tokenizer:
    return _sentencepiece_bpe(normalizers.Replace(" ", "▁"))


def _bert(*, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=220, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    return _put_first(tokenizer, "[CLS]", "[SEP]")


def t5() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=160,
        special_tokens=["<pad>", "</s>", "<unk>", "<extra_id_0>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def clip() -> Tokenizer:
    """Byte-level pieces, and `</w>` where a word ends."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    words = pre_tokenizers.Split(Regex(CLIP_WORDS), "removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    names = ["<|startoftext|>", "<|endoftext|>"]
    _train(tokenizer, names, size=500, initial_alphabet=alphabet, end_of_word_suffix="</w>")
    return _put_first(tokenizer, *names)


def cpm() -> Tokenizer:
    """SentencePiece with another mark for the space than `▁`."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▂")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▂", " "), decoders.Fuse()])
    return _train(tokenizer, ["<unk>", "<eod>"], size=300)


LAYOUTS: dict[str, Layout] = {
    "gpt2": Layout(gpt2, "GPT2Tokenizer", "gpt2", {"Ġthe": b" the", "Ã": b"\xc3", "Ċ": b"\n"}),
    "qwen2": Layout(qwen2, "PreTrainedTokenizerFast", "qwen2", {"Ġthe": b" the", "<|im_end|>": b"<|im_end|>"}),
    "deepseek": Layout(
        deepseek, "LlamaTokenizerFast", "qwen2",
        {"123": b"123", "<｜begin▁of▁sentence｜>": "<｜begin▁of▁sentence｜>".encode()},
    ),
    "smollm2": Layout(smollm2, "GPT2Tokenizer", "llama", {"Ġthe": b" the", "1": b"1"}),
    "tekken": Layout(tekken, "LlamaTokenizer", "mistral", {"Ġchainsaws": b" chainsaws", "[INST]": b"[INST]"}),
    "llama": Layout(
        llama, "LlamaTokenizer", "llama", {"▁the": b" the", "<0x41>": b"A", "<s>": b"<s>"}, beside={"legacy": True}
    ),
    "gemma": Layout(gemma, "GemmaTokenizer", "gemma", {"▁the": b" the", "<unused0>": b"<unused0>"}),
    "yi": Layout(yi, "LlamaTokenizer", "llama", {"▁the": b" the", "<0x0A>": b"\n"}, beside={"add_bos_token": False}),
    "bert-cased": Layout(lambda: _bert(lowercase=False), "BertTokenizer", "bert", {"The": b"The", "##s": b"s"}, False),
    "bert-uncased": Layout(lambda: _bert(lowercase=True), "BertTokenizer", "bert", {"the": b"the"}, False),
    "t5": Layout(t5, "T5Tokenizer", "t5", {"▁": b" ", "<extra_id_0>": b"<extra_id_0>"}, False),
    "clip": Layout(clip, "CLIPTokenizer", "clip_text_model", {"the</w>": b"the ", "t": b"t"}, False),
    "cpm": Layout(cpm, "PreTrainedTokenizerFast", "cpmant", {"the▂": b"the "}, False),
}  # fmt: skip


def write_layout(name: str, folder: Path) -> Tokenizer:
    """Write the layout's folder as a checkpoint has it; the tokenizer that its file holds."""
    layout = LAYOUTS[name]
    tokenizer = layout.build()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": layout.tokenizer_class, **layout.beside}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"model_type": layout.model_type}))
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
