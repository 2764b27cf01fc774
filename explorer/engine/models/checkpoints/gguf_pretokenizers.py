"""How text is split before the merges of a byte-level vocabulary: from llama.cpp's name of it to a pre-tokenizer.

A GGUF file names its pre-tokenizer (`tokenizer.ggml.pre`) and llama.cpp holds the rules. transformers holds some of
them too, and takes GPT-2's for every name that it does not know, so that SmolLM2's digits stay together. The rules here
are those of the models' own tokenizer.json; llama.cpp's src/llama-vocab.cpp says which name stands for which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.normalizers import Normalizer
    from tokenizers.pre_tokenizers import PreTokenizer

GPT2 = frozenset(
    [
        "gpt-2",
        "gpt2",
        "phi-2",
        "jina-es",
        "jina-de",
        "jina-v1-en",
        "jina-v2-es",
        "jina-v2-de",
        "jina-v2-code",
        "roberta-bpe",
        "gigachat",
        "mpt",
        "olmo",
        "jais",
        "trillion",
        "granite-docling",
        "a.x-4.0",
        "mellum",
        "modern-bert",
    ]
)
"""Words, numbers and punctuation, each with the space before it (Radford et al. 2019)."""
DIGITS = frozenset(["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"])
"""Every digit by itself, then as GPT-2."""
WHOLE_FIRST = frozenset(
    [
        "llama3",
        "llama-v3",
        "llama-bpe",
        "falcon3",
        "falcon-h1",
        "pixtral",
        "midm-2.0",
        "lfm2",
        "jina-v5-nano",
        "tekken",
        "youtu",
    ]
)
"""A piece that is a token as a whole is one, whatever the merges say."""
BOS_FIRST = frozenset(
    ["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken", "chameleon"]
)
"""Where the file does not say whether a text begins with the BOS token, it does."""
_COMPOSED = frozenset(["qwen2", "qwen35", "deepseek-r1-qwen", "megrez", "stablelm2"])
"""Unicode is composed first (NFC), which llama.cpp leaves out."""
_FALCON = ("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)", "[0-9][0-9][0-9]")
_HAN_AND_KANA = "[一-龥\u3040-ゟ゠-ヿ]+"
_DEEPSEEK_WORDS = (
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)
_CJK = "[一-龥ࠀ-一가-\ud7ff]+"
_PUNCTUATION = "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"
_SPLITS = {
    "deepseek-llm": ("[\\r\\n]", "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}]+", _PUNCTUATION, "\\s+$", _CJK, "\\p{N}+"),
    "deepseek-coder": ("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", _CJK, "\\p{N}"),
    "deepseek-v3": ("\\p{N}{1,3}", _HAN_AND_KANA, _DEEPSEEK_WORDS),
    "hunyuan-dense": ("\\p{N}{1,3}", _HAN_AND_KANA, _DEEPSEEK_WORDS),
    "joyai-llm": ("\\p{N}{1,3}", _HAN_AND_KANA, _DEEPSEEK_WORDS),
    "falcon": ("[\\p{P}\\$\\+<=>\\^~\\|`]+", *_FALCON),
}
"""Split at each of these in turn, every match by itself."""
_LIKE = {"stablelm2": "qwen2", "hunyuan": "qwen2", "solar-open": "qwen2", "grok-2": "qwen2", "chatglm-bpe": "llama-bpe"}
"""Names whose rule is another one's."""


def pre_tokenizer(name: str) -> tuple[PreTokenizer, str]:
    """The pre-tokenizer that llama.cpp calls `name`, and what to say where it is not known: GPT-2's then."""
    from tokenizers import Regex, pre_tokenizers

    splits = _splits(name)
    if splits:
        parts = [pre_tokenizers.Split(Regex(split), behavior="isolated") for split in splits]
        last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([*parts, last]), ""
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if name in DIGITS:
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2]), ""
    if name in GPT2:
        return gpt2, ""
    unknown = f"names the pre-tokenizer {name[:40]!r}, which is not known here" if name else "names no pre-tokenizer"
    return gpt2, (
        f"The GGUF file {unknown}: text is split as GPT-2 splits it, so that prompts and which tokens are unreachable "
        "may be wrong"
    )


def normaliser(name: str) -> Normalizer | None:
    """What is done to a text before it is split, where anything is."""
    from tokenizers import normalizers

    return normalizers.NFC() if name in _COMPOSED else None


def _splits(name: str) -> tuple[str, ...]:
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    known = _LIKE.get(name, name)
    split = GGUF_PRE_TOKENIZER_SPLITS.get(known)
    return _SPLITS.get(known, ()) if split is None else (str(split),)
