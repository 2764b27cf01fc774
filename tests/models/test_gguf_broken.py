"""GGUF files that are cut short, forged or made to do harm: refused in one line, quickly and with little memory."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest

from explorer.engine.models.checkpoints.gguf_header import read_gguf_header
from explorer.engine.models.errors import ModelError
from explorer.engine.models.roster import Roster
from tests.models import gguf_samples as samples
from tests.models.conftest import byte_level_tokenizer

U32, STRING, ARRAY = 4, 8, 9
MOST_SECONDS, MOST_BYTES = 2.0, 1 << 24


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file that loads."""
    file = tmp_path_factory.mktemp("gguf") / "whole.gguf"
    metadata = samples.byte_level_metadata(byte_level_tokenizer(), rows=320)
    return samples.write_gguf(file, samples.matrices(320), metadata).read_bytes()


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[[bytes, str], None]:
    """`refuse(content, said)`: the file is refused in one line that says `said`, within the limits."""

    def check(content: bytes, said: str) -> None:
        file = tmp_path / "broken.gguf"
        file.write_bytes(content)
        tracemalloc.start()
        began = process_time()
        try:
            with pytest.raises(ModelError, match=said) as refused:
                read_gguf_header(file)
            assert process_time() - began < MOST_SECONDS
            assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
        finally:
            tracemalloc.stop()
        line = refused.value.line
        assert line.isprintable()
        assert len(line) < 400
        with pytest.raises(ModelError):
            Roster().load(str(file))

    return check


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def entry(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: bytes, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


ARCHITECTURE = entry(b"general.architecture", STRING, text(b"llama"))


def forged(*entries: bytes, tensors: tuple[bytes, ...] = (), counts: tuple[int, int] | None = None) -> bytes:
    n_tensors, n_entries = counts or (len(tensors), len(entries))
    head = struct.pack("<4sIQQ", b"GGUF", 3, n_tensors, n_entries)
    return head + b"".join(entries) + b"".join(tensors) + bytes(64)


HUGE = (1 << 64) - 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "in big-endian order, which is not read"),
        (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0), "of version 1, which is not read"),
        (struct.pack("<4sIQQ", b"GGUF", 0, 0, 0), "of version 0, which is not read"),
        (b"GGUF", "is cut short or broken"),
        (forged(counts=(HUGE, 0)), "cannot hold the 18,446,744,073,709,551,615 tensors"),
        (forged(counts=(0, 1 << 40)), "1,099,511,627,776 pieces of metadata"),
        (forged(text(b"k")[:8].replace(b"\x01", b"\xff")), "is cut short or broken"),
        (forged(struct.pack("<Q", HUGE)), "a text of 18,446,744,073,709,551,615 bytes"),
        (forged(entry(b"a", 99, b"")), "metadata of type 99"),
        (forged(entry(b"a", ARRAY, struct.pack("<IQ", U32, HUGE))), "an array of 18,446,744,073,709,551,615 entries"),
        (forged(entry(b"a", ARRAY, struct.pack("<IQ", U32, 1 << 23))), "is cut short or broken"),
        (forged(entry(b"a", ARRAY, struct.pack("<IQ", STRING, 1 << 23))), "is cut short or broken"),
        (forged(entry(b"a", ARRAY, struct.pack("<IQ", ARRAY, 1) + struct.pack("<IQ", U32, 0))), "metadata of type 9"),
        (forged(entry(b"a", U32, bytes(4)), entry(b"a", U32, bytes(4))), "'a' stands twice"),
        (forged(entry(b"a", U32, bytes(4))), "it names no architecture"),
        (forged(entry(b"general.architecture", U32, bytes(4))), "it names no architecture"),
        (forged(ARCHITECTURE, entry(b"general.alignment", U32, bytes(4))), "its alignment is no power of two"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", (32,) * 9),)), "the tensor 't' has 9 dimensions"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", ()),)), r"has shape \[\], which F32 cannot hold"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", (0, 4)),)), r"has shape \[4, 0\], which F32 cannot hold"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", (31,), 8),)), r"has shape \[31\], which Q8_0 cannot hold"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", (4,), 999),)), "is of type 999, which the installed gguf"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", (HUGE, HUGE)),)), "is cut short: .* bytes are there"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", (4,), offset=HUGE),)), "is cut short"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t", (4,)), tensor(b"t", (4,)))), "the tensor 't' stands twice"),
        (forged(ARCHITECTURE, tensors=(tensor(b"\x1b[2J\n\x07", (4,), 999),)), r"the tensor '\\x1b\[2J\\n\\x07' is of"),
        (forged(ARCHITECTURE, tensors=(tensor(b"t" * 9999, (4,), 999),)), "the tensor 't{60}' is of"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_forged_files_are_refused(refuse: Callable[[bytes, str], None], content: bytes, said: str) -> None:
    refuse(content, said)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 0.6, 0.999])
def test_files_cut_short_are_refused(refuse: Callable[[bytes, str], None], whole: bytes, share: float) -> None:
    refuse(whole[: int(len(whole) * share)], "is cut short")


def test_a_flipped_byte_never_gives_another_error(whole: bytes, tmp_path: Path) -> None:
    """Whatever it does to the file, it is read or refused."""
    chance = random.Random(0)
    file = tmp_path / "flipped.gguf"
    places = [*range(150), *(chance.randrange(len(whole) // 4) for _ in range(100))]
    refused = 0
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        try:
            read_gguf_header(file)
        except ModelError:
            refused += 1
    assert 0 < refused < len(places)


def test_a_chat_template_reaches_nothing_of_python(tmp_path: Path) -> None:
    """It is stopped by the sandbox when it is used, and the file is read all the same."""
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    metadata = samples.byte_level_metadata(byte_level_tokenizer()) | {"tokenizer.chat_template": template}
    file = samples.write_gguf(tmp_path / "model.gguf", samples.matrices(320), metadata)
    vocabulary = Roster().load(f"weights:{file}").vocabulary
    with pytest.raises(ModelError, match="the chat template fails"):
        vocabulary.chat_prompt("{token}")


def test_a_file_without_a_language_model_is_refused(tmp_path: Path) -> None:
    metadata = samples.byte_level_metadata(byte_level_tokenizer())
    file = samples.write_gguf(
        tmp_path / "a.gguf", {"v.patch_embd.weight": samples.matrices(4)["token_embd.weight"]}, metadata
    )
    with pytest.raises(ModelError, match=r"a.gguf has no token_embd.weight: it holds no language model"):
        Roster().load(f"weights:{file}")
    matrices = samples.matrices(320) | {"output.weight": samples.matrices(300)["token_embd.weight"]}
    file = samples.write_gguf(tmp_path / "b.gguf", matrices, metadata)
    with pytest.raises(ModelError, match=r"output.weight has shape \[300, 32\], and token_embd.weight \[320, 32\]"):
        Roster().load(f"weights:{file}")
