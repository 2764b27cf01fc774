"""Laws of the token table: what a filter lets through, in which order, with which numbers."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.base.records.record import Array
from explorer.base.records.tokens import CATEGORIES, LABELS
from explorer.base.records.vocabulary import RankTokens, UnusedReference, VocabularyColumns
from explorer.tables import filter_terms
from explorer.tables.filter_terms import FilterError, HasText, TableError
from explorer.tables.filters import parse_filter
from explorer.tables.portions import finish
from explorer.tables.ranking import ranked, select
from explorer.tables.table import TokenColumns

NAN, INF = float("nan"), float("inf")

TOKENS = (
    b"cat",
    b" Velvet",
    b"\xc2\xa0",
    b"\xe2\x80\x8b",
    b"\xc0",
    b"cat",
    b"a\nb",
    "Straße".encode(),
    b"<s>",
    b"-x",
    b"",
)
KINDS = ("ok", "ok", "ok", "ok", "byte", "unreachable", "ok", "ok", "special", "ok", "padding")
NORMS = (1.0, 0.5, NAN, 3.0, -INF, 1.0, INF, -0.0, 0.0, 2.0, -5.0)


def columns_of(
    tokens: Sequence[bytes] = TOKENS,
    kinds: Sequence[str] = KINDS,
    indicators: Mapping[str, Sequence[float]] | None = None,
    flags: Mapping[str, Sequence[bool]] | None = None,
    references: Mapping[int, str] | None = None,
) -> TokenColumns:
    named: Mapping[str, Sequence[float]] = {"input_norm": NORMS} if indicators is None else indicators
    joined, offsets = Array.of_tokens(tokens)
    source = VocabularyColumns(
        model="toy",
        token_bytes=joined,
        offsets=offsets,
        categories=Array.of(np.array([CATEGORIES.index(kind) for kind in kinds], dtype=np.uint8)),
        indicators={name: Array.of(np.array(values, dtype=np.float32)) for name, values in named.items()},
        default_indicator=next(iter(named), ""),
        default_rule="the first",
        unused=tuple(UnusedReference(token_id=one, reason=why) for one, why in (references or {}).items()),
        flags={name: Array.of(np.array(values)) for name, values in (flags or {}).items()},
    )
    return TokenColumns(source)


@pytest.fixture(scope="module")
def toy() -> TokenColumns:
    withheld = [token_id in (1, 3) for token_id in range(len(TOKENS))]
    return columns_of(flags={"withheld": withheld}, references={4: "byte never in UTF-8"})


def passing(columns: TokenColumns, text: str, marked: Sequence[int] = ()) -> list[int]:
    return np.flatnonzero(parse_filter(text).mask(columns, marked)).tolist()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", list(range(11))),
        ("   ", list(range(11))),
        ("velvet", [1]),
        ("CAT", [0, 5]),
        ("STRASSE", [7]),
        ("·Velvet", [1]),
        ('" velvet"', [1]),
        ("a\\nb", [6]),
        ("\\u{200b}", [3]),
        ("\\u{a0}", [2]),
        ("\\u{ffffff}", []),
        ("/^c.t$/", [0, 5]),
        ("/^C.T$/", []),
        ("/^C.T$/i", [0, 5]),
        ("/a b|t$/", [0, 1, 5]),
        ("bytes:c2a0", [2]),
        ("\\xC2\\xa0", [2]),
        ("\\xc0", [4]),
        ("id:3", [3]),
        ("id:3-5", [3, 4, 5]),
        ("id:>=9", [9, 10]),
        ("id:<1", [0]),
        ("id:5-3", []),
        ("id:>99999999999", []),
        ("len:>6", [1, 7]),
        ("len:0", [10]),
        ("cat:byte", [4]),
        ("category:byte,special", [4, 8]),
        ("input_norm<0.5", [4, 7, 8, 10]),
        ("input_norm>=inf", [6]),
        ("input_norm=0", [7, 8]),
        ("-input_norm<0.5", [0, 1, 2, 3, 5, 6, 9]),
        ("flag:withheld", [1, 3]),
        ("flag:unused", [4]),
        ("cat cat:ok", [0]),
        ("cat -cat:ok", [5]),
        ('"cat:ok"', []),
        ('"-x"', [9]),
        ("-", [9]),
        ('"x=1"', []),
        ('"cat:"', []),
        ("cats:", []),
        ("a<b", []),
        ("<unused5>", []),
        ("‖W_E‖<0.5", [4, 7, 8, 10]),
        ("-‖W_E‖<0.5", [0, 1, 2, 3, 5, 6, 9]),
    ],
)
def test_a_filter_passes_exactly_the_tokens_it_describes(toy: TokenColumns, text: str, ids: list[int]) -> None:
    assert passing(toy, text) == ids


def test_marked_follows_the_marks_and_forgets_ids_of_other_models(toy: TokenColumns) -> None:
    assert passing(toy, "marked", marked=[2, 9, 4000, -1]) == [2, 9]
    assert passing(toy, "-flag:marked", marked=range(10)) == [10]
    assert passing(toy, '"marked"', marked=[2]) == []


def test_percentiles_and_z_scores_can_be_filtered_and_padding_has_neither() -> None:
    columns = columns_of([b"x"] * 6, ["ok"] * 5 + ["padding"], {"input_norm": [1, 2, 3, 4, 100, -9]})
    assert passing(columns, "pct:input_norm<31") == [0, 1]
    assert passing(columns, "z:input_norm>3") == [4]
    assert passing(columns, "z:‖W_E‖>3") == [4]
    assert passing(columns, "pct:‖W_E‖<31") == [0, 1]
    assert passing(columns, "pct:input_norm>=0") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ('"open', "two words"),
        ('""', "two words"),
        ("/open", "at both ends"),
        ("/", "at both ends"),
        ("/(/", "not a regular expression"),
        ("/a/x", "/^ab/i"),
        ("bytes:c2a", "two digits"),
        ("bytes:", "two digits"),
        ("id:x", "id:3-12"),
        ("id:" + "9" * 5000, "id:3-12"),
        ("len:>", "len:>12"),
        ("cat:nonsense", "fragment"),
        ("pct:input_norm", "pct:input_norm<2"),
        ("z:input_norm<nan", "z:input_norm<2"),
        ("input_nrom<0.9", "input_norm"),
        ("pct:output_size<2", "output_norm"),
        ("flag:nope", "withheld"),
        ("output_norm<1", "input_norm"),
        ("foo<3", "write one of input_norm"),
        ("foo<3", 'in quotes: "foo<3"'),
        ("x=1", '"x=1"'),
        ("pct:nosuch<2", "write one of input_norm"),
        ("z:nosuch<2", "write one of input_norm"),
        ("id<5", "id:<5"),
        ("len>=5", "len:>=5"),
        ("foo:bar", "id:, len:, bytes:, cat:, flag:"),
        ('-http://a"', '"http://a\\""'),
    ],
)
def test_a_wrong_filter_says_in_one_line_what_to_write(toy: TokenColumns, text: str, advice: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text).mask(toy)
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "label"), LABELS.items())
def test_every_heading_of_the_table_can_be_compared(name: str, label: str) -> None:
    for prefix in ("", "pct:", "z:"):
        assert parse_filter(f"{prefix}{label}<=0.5") == parse_filter(f"{prefix}{name}<=0.5")


def test_only_the_model_s_own_indicators_are_named_where_they_are_known() -> None:
    with pytest.raises(FilterError, match="write one of input_norm, mine;"):
        parse_filter("foo<3", ("input_norm", "mine"))
    assert parse_filter("mine<3", ("mine",)).terms


@given(st.text(min_size=1, max_size=12))
def test_any_text_can_be_searched_for_in_quotes(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    (term,) = parse_filter(f'"{escaped}"').terms
    assert isinstance(term, HasText)
    assert text.casefold() in term.needles


def test_a_catastrophic_regex_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_terms, "REGEX_SECONDS", 0.05)
    columns = columns_of([b"a" * 60] * 50, ["ok"] * 50, {})
    with pytest.raises(FilterError, match="nested repeats"):
        parse_filter(r"/^(a|a)*$(?!)|(x+x+)+y|(a|aa)+b/").mask(columns)


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    columns = columns_of()
    try:
        mask = parse_filter(text).mask(columns)
    except FilterError:
        return
    assert mask.shape == (len(TOKENS),)


@given(st.text(min_size=1, max_size=6))
def test_a_quoted_text_passes_the_tokens_that_contain_it(text: str) -> None:
    columns = columns_of([text.encode("utf-8", "replace"), b"@@"], ["ok", "ok"], {})
    quoted = '"' + text.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert 0 in passing(columns, quoted)


def order(columns: TokenColumns, sort: str = "", descending: bool = False) -> list[int]:
    return [int(i) for i in select(columns, RankTokens(model="toy", sort=sort, descending=descending))]


def test_sorting_by_an_indicator_puts_what_is_set_aside_then_nan_then_padding_last_both_ways(
    toy: TokenColumns,
) -> None:
    assert order(toy) == [7, 1, 0, 5, 9, 3, 6, 4, 8, 2, 10]
    assert order(toy, descending=True) == [6, 3, 9, 0, 5, 1, 7, 8, 4, 2, 10]


def test_reference_tokens_are_set_aside_but_for_those_found_by_their_rows() -> None:
    kinds = ["ok", "ok", "ok", "special", "byte", "padding"]
    references = {0: "name, looks trained", 1: "twin of 2", 2: "chosen", 3: "twin of 1"}
    columns = columns_of([b"t"] * 6, kinds, {"input_norm": range(6)}, references=references)
    assert columns.set_aside.tolist() == [True, False, True, True, False, True]
    assert columns.is_candidate.tolist() == [False, True, False, False, False, False]
    assert order(columns) == [1, 4, 0, 2, 3, 5]


def test_what_is_set_aside_counts_in_no_percentage() -> None:
    kinds = ["special", "ok", "ok", "ok", "ok", "byte", "padding"]
    columns = columns_of([b"t"] * 7, kinds, {"input_norm": [0, 0, 1, 2, 3, 1.5, 0]}, references={1: "name"})
    assert columns.percentiles("input_norm").tolist() == pytest.approx(
        [NAN, NAN, 100 / 6, 50, 500 / 6, 100 / 3, NAN], rel=1e-6, nan_ok=True
    )
    assert passing(columns, "pct:input_norm<50") == [2, 5]
    assert columns.robust_z("input_norm")[[2, 3, 4]].tolist() == pytest.approx([-1 / 1.4826, 0, 1 / 1.4826])


def test_sorting_by_token_is_by_bytes_and_equal_bytes_stand_by_id(toy: TokenColumns) -> None:
    by_bytes = sorted(range(len(TOKENS)), key=lambda token_id: (TOKENS[token_id], token_id))
    assert order(toy, "token") == by_bytes
    assert [TOKENS[i] for i in order(toy, "token", True)] == [TOKENS[i] for i in reversed(by_bytes)]
    assert order(toy, "token", True).index(0) < order(toy, "token", True).index(5)


def test_plain_columns_sort_by_id_length_and_category(toy: TokenColumns) -> None:
    assert order(toy, "id", True) == list(range(10, -1, -1))
    assert order(toy, "bytes") == sorted(range(11), key=lambda i: len(TOKENS[i]))
    assert order(toy, "category") == sorted(range(11), key=lambda i: CATEGORIES.index(KINDS[i]))


@given(
    st.lists(st.tuples(st.floats(width=32), st.booleans()), min_size=1, max_size=40),
    st.booleans(),
)
def test_the_order_is_the_one_python_sorts_to(cells: list[tuple[float, bool]], descending: bool) -> None:
    values, padded = zip(*cells, strict=True)
    columns = columns_of([b"t"] * len(cells), ["padding" if p else "ok" for p in padded], {"input_norm": values})

    def key(token_id: int) -> tuple[bool, bool, float]:
        value = values[token_id]
        missing = value != value
        return padded[token_id], missing, 0.0 if missing or padded[token_id] else (-value if descending else value)

    expected = sorted(range(len(cells)), key=lambda i: (*key(i)[:1], key(i)[1] and not padded[i], key(i)[2], i))
    assert order(columns, "input_norm", descending) == expected


def test_an_unknown_sort_names_the_known_ones(toy: TokenColumns) -> None:
    with pytest.raises(TableError, match="input_norm"):
        order(toy, "input_size")


def test_a_query_s_category_narrows_its_filter(toy: TokenColumns) -> None:
    query = RankTokens(model="toy", sort="id", filter="cat", category="unreachable")
    assert select(toy, query).tolist() == [5]


def test_a_model_without_indicators_is_sorted_by_id() -> None:
    columns = columns_of([b"b", b"a"], ["ok", "ok"], {})
    query = RankTokens(model="toy")
    assert ranked(columns, query, select(columns, query)).sort == "id"


@given(st.lists(st.floats(-100, 100, width=16) | st.just(NAN), min_size=1, max_size=30))
@settings(max_examples=50)
def test_a_percentile_counts_the_tokens_below_and_half_the_equal_ones(values: list[float]) -> None:
    columns = columns_of([b"t"] * len(values), ["ok"] * len(values), {"input_norm": values})
    counted = [value for value in values if value == value]
    for value, percentile in zip(values, columns.percentiles("input_norm").tolist(), strict=True):
        below, equal = sum(v < value for v in counted), sum(v == value for v in counted)
        expected = 100 * (below + equal / 2) / len(counted) if equal else NAN
        assert percentile == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_the_robust_z_score_is_the_formula_and_survives_a_deviation_of_zero() -> None:
    spread = columns_of([b"t"] * 5, ["ok"] * 5, {"input_norm": [1, 2, 3, 5, NAN]})
    np.testing.assert_allclose(
        spread.robust_z("input_norm"), (np.array([1, 2, 3, 5, NAN]) - 2.5) / (1.4826 * 1.0), rtol=1e-6
    )
    flat = columns_of([b"t"] * 5, ["ok"] * 5, {"input_norm": [2, 2, 2, 1, 9]})
    assert flat.robust_z("input_norm").tolist() == [0, 0, 0, -INF, INF]


def test_a_row_leaves_out_what_is_not_a_number(toy: TokenColumns) -> None:
    assert toy.row(2).indicators == {}
    assert toy.row(2).percentiles == {}
    assert toy.row(2).robust_z == {}
    padding = toy.row(10)
    assert padding.indicators == {"input_norm": -5.0}
    assert padding.percentiles == {}
    assert padding.category == "padding"
    velvet = toy.row(1)
    assert (velvet.token_bytes, velvet.text, velvet.indicators) == (b" Velvet".hex(), " Velvet", {"input_norm": 0.5})


def test_a_row_writes_float32_in_its_shortest_form() -> None:
    assert columns_of([b"t"], ["ok"], {"input_norm": [0.1]}).row(0).indicators == {"input_norm": 0.1}


def test_there_is_no_row_outside_the_vocabulary(toy: TokenColumns) -> None:
    for token_id in (-1, 11):
        with pytest.raises(TableError, match="0 to 10"):
            toy.row(token_id)


def test_tokens_are_shown_safely_and_kept_exactly(toy: TokenColumns) -> None:
    assert toy.token_bytes(4) == b"\xc0"
    assert toy.text(4) == "\ufffd"
    assert toy.visible(4) == "\\xc0"
    assert toy.visible(1) == "·Velvet"
    assert toy.text(10) == ""


def test_ranked_returns_the_window_asked_for_and_counts_the_rest(toy: TokenColumns) -> None:
    query = RankTokens(model="toy", first=2, top=3)
    outcome = ranked(toy, query, select(toy, query))
    assert [row.token_id for row in outcome.rows] == [0, 5, 9]
    assert (outcome.matching, outcome.total, outcome.sort) == (11, 11, "input_norm")


def test_a_view_says_how_numbers_are_written_whichever_rows_it_holds_the_lead_first() -> None:
    norms = [float(value) for value in np.linspace(0.40, 0.55, 300)]
    named = {"input_norm": norms, "output_norm": [1000 * value for value in norms]}
    columns = columns_of([b"a"] * 300, ["ok"] * 300, named)
    views = [
        RankTokens(model="toy", sort="output_norm", top=top, filter=kept) for top in (0, 2) for kept in ("", "id:7")
    ]
    told = [tuple(ranked(columns, view, select(columns, view)).formats.items()) for view in views]
    assert set(told) == {(("output_norm", (5, 0)), ("input_norm", (5, 3)))}


def test_the_digest_covers_the_numbers_and_the_order(toy: TokenColumns) -> None:
    query = RankTokens(model="toy")
    ids = select(toy, query)
    expected = hashlib.sha256(np.array(NORMS, dtype="<f4").tobytes() + ids.astype("<i8").tobytes()).hexdigest()[:32]
    assert ranked(toy, query, ids).digest == expected
    assert ranked(toy, query, ids[::-1]).digest != expected
    other = columns_of(indicators={"input_norm": [*NORMS[:-1], -6.0]})
    assert ranked(other, query, ids).digest != expected


def test_columns_of_different_sizes_are_refused() -> None:
    with pytest.raises(TableError, match="input_norm"):
        columns_of([b"a", b"b"], ["ok", "ok"], {"input_norm": [1.0]})


def test_warming_changes_no_answer() -> None:
    cold, warm = columns_of(), columns_of()
    finish(warm.warm())
    for sort in ("token", "input_norm"):
        assert order(cold, sort) == order(warm, sort)
    assert cold.row(1) == warm.row(1)


def test_the_table_needs_neither_torch_nor_scipy() -> None:
    code = "import sys, explorer.tables.table; print({'torch', 'scipy', 'transformers', 'textual'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
