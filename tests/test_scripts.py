"""Writing systems of tokens against the Unicode property of the `regex` package."""

from __future__ import annotations

import unicodedata

import regex

from explorer.tables.scripts import script_of, scripts_of


def test_the_first_letter_decides() -> None:
    texts = {
        " the": "Latin", "##ing": "Latin", "ａｂｃ": "Latin", "𝐀": "Latin", "ª": "Latin", "ŉ": "Latin", "ℂ": "Latin",
        "µ": "Greek", "Ω": "Greek", "привет": "Cyrillic", "12 км": "Cyrillic", "汉字": "Han", "の": "Hiragana",
        "ｶﾅ": "Katakana", "ー": "Katakana", "한국": "Hangul", "ไทย": "Thai", "हिन्दी": "Devanagari", "ﷺ": "Arabic",
        "𐰀": "Old Turkic", "": "", "123!": "", "🙂": "", "ʰa": "Latin", "ˇ": "", "\ufffd": "", "\ue000": "",
    }  # fmt: skip
    assert {text: script_of(text) for text in texts} == texts


def test_letters_have_the_script_that_unicode_says() -> None:
    """All letters of this Unicode version but the modifiers, which styled and shared ones are among."""
    scripts = [
        "Latin",
        "Greek",
        "Cyrillic",
        "Arabic",
        "Hebrew",
        "Devanagari",
        "Bengali",
        "Tamil",
        "Telugu",
        "Thai",
        "Lao",
        "Georgian",
        "Armenian",
        "Ethiopic",
        "Khmer",
        "Myanmar",
        "Sinhala",
        "Hangul",
        "Hiragana",
        "Katakana",
        "Han",
    ]
    characters = [chr(code) for code in range(0x20000) if unicodedata.category(chr(code)) in ("Lu", "Ll", "Lt", "Lo")]
    for script in scripts:
        of_script = regex.compile(rf"\p{{Script={script}}}")
        letters = [letter for letter in characters if of_script.match(letter)]
        wrong = [letter for letter in letters if script_of(letter) != script]
        assert len(letters) > 20
        assert len(wrong) <= 0.03 * len(letters), (script, len(letters), wrong[:9])


def test_many_texts_have_names_and_places() -> None:
    names, codes = scripts_of(["a", "1", "б", "b"])
    assert names == ("", "Cyrillic", "Latin")
    assert [names[code] for code in codes] == ["Latin", "", "Cyrillic", "Latin"]
    assert [len(part) for part in scripts_of([])] == [0, 0]
