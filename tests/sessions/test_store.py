"""The session file: whole at every moment, honest about what it holds."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.notes import Noted, WriteNote
from explorer.base.records.record import Failure
from explorer.sessions.file.store import FORMAT, SessionWriter, new_session_path, portable_source, read_session


def written(path: Path, count: int = 3) -> SessionWriter:
    writer = SessionWriter(path, seed=7)
    for number in range(count):
        assert writer.append(writer.step(WriteNote(text=f"note {number}"), Noted(), 0.25))
    return writer


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written(tmp_path / "s.jsonl")
    session = read_session(tmp_path / "s.jsonl")
    assert session.header.format == FORMAT
    assert session.header.seed == 7
    assert [step.number for step in session.steps] == [1, 2, 3]
    assert [step.request for step in session.steps] == [WriteNote(text=f"note {number}") for number in range(3)]


def test_every_step_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "s.jsonl")
    for number in range(1, 5):
        writer.append(writer.step(WriteNote(text="x"), Noted(), 0.0))
        assert len(read_session(writer.path).steps) == number


def test_no_file_is_left_behind_where_there_was_no_step(tmp_path: Path) -> None:
    automatic = SessionWriter(tmp_path / "folder" / "s.jsonl", automatic=True)
    assert not (tmp_path / "folder").exists()
    automatic.close()
    writer = SessionWriter(tmp_path / "s.jsonl")
    writer.save_as(tmp_path / "t.jsonl")
    writer.close()
    SessionWriter(tmp_path / "s.jsonl")  # nothing refers to it any more
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_of_the_user_stays(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").touch()
    SessionWriter(tmp_path / "s.jsonl").close()
    assert (tmp_path / "s.jsonl").exists()
    assert len(read_session(written(tmp_path / "s.jsonl").path).steps) == 3


def test_infinities_survive(tmp_path: Path) -> None:
    cell = LogprobCell(target="x", target_ids=(1,), logprob=float("-inf"), rank=3)
    column = LogprobColumn(model="m", prompt_ids=(1,), prompt="p", entropy=0.0, cells=(cell,), top=())
    writer = SessionWriter(tmp_path / "s.jsonl")
    writer.append(
        writer.step(ReadLogprobs(models=("m",), prompt="p"), LogprobTable(targets=("x",), columns=(column,)), 0)
    )
    outcome = read_session(writer.path).steps[0].outcome
    assert isinstance(outcome, LogprobTable)
    assert outcome.columns[0].cells[0].logprob == float("-inf")


def test_a_file_cut_at_any_byte_of_its_last_line_keeps_every_earlier_step(tmp_path: Path) -> None:
    writer = written(tmp_path / "s.jsonl")
    whole = writer.path.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for cut in range(last, len(whole) - 1):
        writer.path.write_bytes(whole[:cut])
        session = read_session(writer.path)
        assert [step.number for step in session.steps] == [1, 2]
        assert bool(session.warning) == (cut > last)


def test_damage_before_the_end_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl").path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{garbage\n", *lines[3:]]))
    with pytest.raises(ExplorerError, match="line 3"):
        read_session(path)


@pytest.mark.parametrize("content", [b"\n", b"hello", b"\xff\xfe", b"{}", b"[1]", b'{"kind":"Step"}', b"\x00" * 40])
def test_what_is_no_session_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(ExplorerError, match="is not a session file"):
        read_session(path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl").path
    path.write_bytes(path.read_bytes().replace(b'"format":%d' % FORMAT, b'"format":%d' % (FORMAT + 1), 1))
    with pytest.raises(ExplorerError, match="newer version"):
        read_session(path)


def test_appending_to_a_session_goes_on_counting(tmp_path: Path) -> None:
    written(tmp_path / "s.jsonl")
    written(tmp_path / "s.jsonl", count=2)
    session = read_session(tmp_path / "s.jsonl")
    assert [step.number for step in session.steps] == [1, 2, 3, 4, 5]


def test_a_full_disk_is_said_leaves_no_half_line_and_the_step_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = written(tmp_path / "s.jsonl", count=1)
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        real(descriptor, data[:10])  # the disk takes ten bytes, then no more
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert not writer.append(writer.step(WriteNote(text="second"), Noted(), 0.0))
    assert "No space left" in writer.trouble
    monkeypatch.undo()
    assert len(read_session(writer.path).steps) == 1
    assert read_session(writer.path).warning == ""
    assert writer.append(writer.step(WriteNote(text="third"), Noted(), 0.0))
    assert [step.number for step in read_session(writer.path).steps] == [1, 2, 3]
    assert writer.trouble == ""


def test_no_folder_of_this_machine_is_written(tmp_path: Path) -> None:
    model = tmp_path / "private" / "gpt-x"
    model.mkdir(parents=True)
    info = ModelInfo(name="gpt-x", source=str(model), architecture="A", dtype="float32", device="cpu", vocab_size=1,
                     tokenizer_size=1, d_model=1)  # fmt: skip
    writer = SessionWriter(tmp_path / "s.jsonl")
    writer.append(writer.step(LoadModel(source=str(model)), ModelLoaded(info=info), 0.1))
    writer.append(writer.step(LoadModel(source="weights:" + str(model)), Failure(message="no"), 0.1))
    borrowed = msgspec.structs.replace(info, tokenizer=str(model))
    writer.append(writer.step(LoadModel(source="gpt2", tokenizer=str(model)), ModelLoaded(info=borrowed), 0.1))
    text = writer.path.read_text()
    assert text.count('"tokenizer":"…/gpt-x"') == 2
    assert "private" not in text
    assert "…/gpt-x" in text
    assert "weights:…/gpt-x" in text


@pytest.mark.parametrize(
    "source",
    ["zoo:mynah", "openai-community/gpt2", "weights:meta/llama@main", "weights:zoo:mynah", "gpt2", "a/b@refs/pr/1", ""],
)
def test_names_of_public_models_are_written_as_they_are(source: str) -> None:
    assert portable_source(source) == source


def test_two_sessions_begun_in_one_second_have_two_names(tmp_path: Path) -> None:
    first = new_session_path(tmp_path)
    first.write_bytes(b"")
    assert new_session_path(tmp_path) != first


def test_keys_stand_in_the_order_of_the_fields(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", count=1).path
    line = path.read_bytes().splitlines()[1]
    assert list(msgspec.json.decode(line)) == ["kind", "number", "at", "seconds", "request", "outcome"]


def test_two_writers_on_one_file_are_refused(tmp_path: Path) -> None:
    first = written(tmp_path / "s.jsonl")
    with pytest.raises(ExplorerError, match="another program is writing"):
        SessionWriter(first.path)
    first.close()
    assert SessionWriter(first.path).append(first.step(WriteNote(text="x"), Noted(), 0.0))


def test_of_two_writers_that_begin_one_file_the_later_one_is_refused_before_it_has_a_step(tmp_path: Path) -> None:
    first = SessionWriter(tmp_path / "s.jsonl")
    with pytest.raises(ExplorerError, match="another program"):
        SessionWriter(tmp_path / "s.jsonl")
    assert first.append(first.step(WriteNote(text="first"), Noted(), 0.0))
    with pytest.raises(ExplorerError, match="another program"):
        SessionWriter(tmp_path / "s.jsonl")
    assert read_session(first.path).steps[0].request == WriteNote(text="first")


def test_a_file_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="No such file"):
        SessionWriter(tmp_path / "nowhere" / "s.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_nobody_chose_gives_way(tmp_path: Path) -> None:
    first = SessionWriter(tmp_path / "s.jsonl", automatic=True)
    second = SessionWriter(tmp_path / "s.jsonl", automatic=True)
    for writer in (first, second):
        assert writer.append(writer.step(WriteNote(text="x"), Noted(), 0.0))
    assert first.path != second.path
    assert len(read_session(first.path).steps) == len(read_session(second.path).steps) == 1


@pytest.mark.parametrize("torn", [b'{"kind":"St', b"\x00" * 512, b"{}", b"\xff"])
def test_a_torn_last_line_is_cut_off_and_said_when_the_session_goes_on(tmp_path: Path, torn: bytes) -> None:
    written(tmp_path / "s.jsonl").close()
    with (tmp_path / "s.jsonl").open("ab") as file:
        file.write(torn)
    writer = SessionWriter(tmp_path / "s.jsonl")
    assert str(len(torn)) in writer.recovered
    assert writer.append(writer.step(WriteNote(text="on"), Noted(), 0.0))
    session = read_session(writer.path)
    assert [step.number for step in session.steps] == [1, 2, 3, 4]
    assert session.warning == ""


def test_a_last_line_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl").path
    path.write_bytes(path.read_bytes()[:-1])
    os.sync()
    writer = written(path, count=1)
    assert writer.recovered == ""
    assert [step.number for step in read_session(path).steps] == [1, 2, 3, 4]


def test_a_session_saved_under_another_name_goes_on_there(tmp_path: Path) -> None:
    writer = written(tmp_path / "s.jsonl")
    (tmp_path / "folder").mkdir()
    writer.save_as(tmp_path / "folder" / "kept.jsonl")
    assert writer.append(writer.step(WriteNote(text="after"), Noted(), 0.0))
    assert len(read_session(tmp_path / "s.jsonl").steps) == 3
    kept = read_session(tmp_path / "folder" / "kept.jsonl")
    assert [step.number for step in kept.steps] == [1, 2, 3, 4]
    assert kept.header == read_session(tmp_path / "s.jsonl").header


def test_an_existing_file_is_not_saved_over(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("mine")
    writer = written(tmp_path / "s.jsonl")
    with pytest.raises(ExplorerError, match="exists already"):
        writer.save_as(tmp_path / "mine.jsonl")
    assert (tmp_path / "mine.jsonl").read_text() == "mine"
    assert writer.append(writer.step(WriteNote(text="on"), Noted(), 0.0))


def test_no_folder_is_made_that_nobody_asked_for(tmp_path: Path) -> None:
    writer = written(tmp_path / "s.jsonl")
    with pytest.raises(ExplorerError, match="there is no folder"):
        writer.save_as(tmp_path / "mistyped" / "kept.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]
    assert writer.append(writer.step(WriteNote(text="on"), Noted(), 0.0))
    assert len(read_session(tmp_path / "s.jsonl").steps) == 4


def test_an_unnamed_session_goes_beside_its_file_before_there_is_one(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "sessions" / "s.jsonl", automatic=True)
    writer.save_as(tmp_path / "sessions" / "kept.jsonl")
    assert writer.append(writer.step(WriteNote(text="on"), Noted(), 0.0))
    assert [path.name for path in (tmp_path / "sessions").iterdir()] == ["kept.jsonl"]


def test_a_file_removed_under_the_program_is_written_anew(tmp_path: Path) -> None:
    writer = written(tmp_path / "s.jsonl")
    writer.path.unlink()
    assert writer.append(writer.step(WriteNote(text="on"), Noted(), 0.0))
    assert [step.number for step in read_session(writer.path).steps] == [1, 2, 3, 4]
    with pytest.raises(ExplorerError, match="another program"):
        SessionWriter(writer.path)


def test_a_file_replaced_under_the_program_is_left_alone(tmp_path: Path) -> None:
    writer = written(tmp_path / "s.jsonl")
    (tmp_path / "edited").write_text("somebody's")
    (tmp_path / "edited").replace(writer.path)
    assert not writer.append(writer.step(WriteNote(text="on"), Noted(), 0.0))
    assert "replaced" in writer.trouble
    assert writer.path.read_text() == "somebody's"
    writer.save_as(tmp_path / "other.jsonl")
    assert [step.number for step in read_session(tmp_path / "other.jsonl").steps] == [1, 2, 3, 4]


def as_format_1(path: Path) -> bytes:
    """The file as the first version of the program would have written it."""
    old = path.read_bytes().replace(b'"format":%d' % FORMAT, b'"format":1', 1).replace(b',"title":""', b"", 1)
    path.unlink()
    path.write_bytes(old.replace(b',"tags":[]', b""))
    return path.read_bytes()


def test_an_older_format_is_read_as_it_stands(tmp_path: Path) -> None:
    new = read_session(written(tmp_path / "s.jsonl").path)
    old = as_format_1(tmp_path / "s.jsonl")
    assert read_session(tmp_path / "s.jsonl") == new
    assert (tmp_path / "s.jsonl").read_bytes() == old


def test_an_older_format_is_brought_up_to_date_before_anything_is_added(tmp_path: Path) -> None:
    new = written(tmp_path / "s.jsonl").path.read_bytes()
    as_format_1(tmp_path / "s.jsonl")
    writer = SessionWriter(tmp_path / "s.jsonl")
    assert f"format 1 to {FORMAT}" in writer.recovered
    upgraded = read_session(writer.path)
    assert upgraded.header.format == FORMAT
    assert [step.request for step in upgraded.steps] == [WriteNote(text=f"note {number}") for number in range(3)]
    assert len(new.splitlines()) == len(writer.path.read_bytes().splitlines())
    assert writer.append(writer.step(WriteNote(text="on", tags=("new",)), Noted(), 0.0))
    assert read_session(writer.path).steps[-1].number == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.jsonl"]


def test_a_session_behind_a_link_is_brought_up_to_date_where_it_stands(tmp_path: Path) -> None:
    written(tmp_path / "real.jsonl").close()
    as_format_1(tmp_path / "real.jsonl")
    (tmp_path / "real.jsonl").chmod(0o640)
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    writer = written(tmp_path / "link.jsonl", count=1)
    assert (tmp_path / "link.jsonl").is_symlink()
    assert [step.number for step in read_session(tmp_path / "real.jsonl").steps] == [1, 2, 3, 4]
    assert (tmp_path / "real.jsonl").stat().st_mode & 0o777 == 0o640
    with pytest.raises(ExplorerError, match="another program"):
        SessionWriter(writer.path)


def test_bringing_a_file_up_to_date_touches_no_other_file_even_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "s.jsonl").close()
    old = as_format_1(tmp_path / "s.jsonl")
    (tmp_path / "s.jsonl.new").write_text("somebody's")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ExplorerError, match="No space left"):
        SessionWriter(tmp_path / "s.jsonl")
    monkeypatch.undo()
    assert (tmp_path / "s.jsonl").read_bytes() == old
    written(tmp_path / "s.jsonl", count=1)
    assert (tmp_path / "s.jsonl.new").read_text() == "somebody's"
    assert len(list(tmp_path.iterdir())) == 2


def test_parent_and_title_stand_in_the_header(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "s.jsonl", parent="before.jsonl", title="A walk")
    writer.use_versions({"torch": "2"})
    writer.append(writer.step(WriteNote(text="x"), Noted(), 0.0))
    writer.use_versions({"torch": "3"})
    header = read_session(writer.path).header
    assert (header.parent, header.title, header.versions) == ("before.jsonl", "A walk", {"torch": "2"})


def test_no_path_of_this_machine_stands_in_a_message_either(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "s.jsonl")
    source = "/home/somebody/my models/gpt-x"
    said = Failure(
        message=f"there is no directory {source} nor ~/private/y.bin", hint="Look in /home/somebody/cache/z."
    )
    writer.append(writer.step(LoadModel(source=source), said, 0.1))
    writer.append(writer.step(FindNeighbours(model="m", token_id=1, encoder="/home/somebody/enc"), Noted(), 0.1))
    text = writer.path.read_text()
    assert "somebody" not in text
    assert "private" not in text
    assert "my models" not in text
    assert "…/enc" in text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("~/models/bad", "{home}/models/bad/config.json cannot be read"),
        ("~/models/bad", "there is no directory /elsewhere/Alice Smith/models/bad"),
        ("~", "{home} cannot be read, nor {home}/other, nor ~alice/x/y"),
        ("weights:~/models/bad", "there is no directory {home}/models/bad"),
        ("file://{home}/models/bad", "'file://{home}/models/bad' names no model"),
        ("weights:weights:{home}/models/bad", "there is no directory weights:{home}/models/bad"),
        ("weights:weights:/secret/Alice/bad", "there is no directory weights:/secret/Alice/bad"),
        ("./my secret/user Alice/bad", "my secret/user Alice/bad/config.json: no such file"),
        ("./my secret/user Alice/bad", "{cwd}/my secret/user Alice/bad/config.json: no such file"),
        ("secret/Alice/bad", "there is no directory secret/Alice/bad"),
        ("secret Alice/bad", "'secret Alice/bad' names no model"),
        ('{home}/it\'s "secret"/bad', 'there is no directory {home}/it\'s "secret"/bad'),
        ("zoo:/secret/Alice/bad", "the zoo has no '/secret/Alice/bad'"),
        ("zoo:mynah", "No such file: '{home}/secret/bad' nor '/other/Alice Smith/my secret/bad'"),
        ("zoo:mynah", "{home}/.cache/secret/bad is damaged"),
        ("zoo:mynah", "see file:///secret/Alice/bad and /secret/Alice,x/bad"),
    ],
)
def test_neither_the_users_name_nor_a_folder_is_told_however_a_path_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    places = {"home": str(tmp_path / "home" / "Alice Smith"), "cwd": str(tmp_path)}
    monkeypatch.setenv("HOME", places["home"])
    monkeypatch.chdir(tmp_path)
    words = message.format(**places)
    writer = SessionWriter(tmp_path / "s.jsonl")
    said = Failure(message=words, hint=f"Look: {words}.")
    writer.append(writer.step(LoadModel(source=source.format(**places)), said, 0.1))
    written_step = writer.path.read_text().splitlines()[1]
    for private in ("Alice", "alice/", "Smith", "secret", "models/", str(tmp_path), "/tmp"):
        assert private not in written_step
    assert "bad" in written_step or source == "~"


@pytest.mark.parametrize("source", ["/a/b/c", "weights:~/x", "a/b/c", "my dir/x", "file:///a/b", "~bob", "/"])
def test_what_is_cut_once_stays_as_it_is(source: str) -> None:
    once = portable_source(source)
    assert "…/" in once
    assert portable_source(once) == once


@pytest.mark.parametrize("words", ["5.5/8 of 1/2", "and/or", "https://host/v1/models", "org/name@main", "-1.4 / 24%"])
def test_slashes_that_are_no_paths_stay_in_messages(tmp_path: Path, words: str) -> None:
    writer = SessionWriter(tmp_path / "s.jsonl")
    writer.append(writer.step(WriteNote(text="x"), Failure(message=words), 0.0))
    assert read_session(writer.path).steps[0].outcome == Failure(message=words)


def test_a_file_cut_inside_its_header_opens_empty_and_can_be_gone_on_with(tmp_path: Path) -> None:
    whole = written(tmp_path / "s.jsonl").path.read_bytes()
    length = whole.index(b"\n")
    for cut in (0, 1, 9, length // 2, length - 1, length):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(whole[:cut])
        assert read_session(path).steps == ()
        assert bool(read_session(path).warning) == (cut < length)
        writer = written(path, count=1)
        assert bool(writer.recovered) == (0 < cut < length)
        assert [step.number for step in read_session(path).steps] == [1]
