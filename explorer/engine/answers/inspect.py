"""Everything known of one token."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from explorer.base.errors import UsageError
from explorer.base.records.inspect import FindToken, InspectToken, MergeStep, TokenDetail, TokenFound
from explorer.base.records.tokens import TokenRef
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.vocabulary import Read, zoo_name
from explorer.engine.control import Control
from explorer.engine.data.published import published_facts
from explorer.engine.models.abilities import HasVocabulary
from explorer.engine.models.forensics import MergeIndex, merge_path
from explorer.engine.models.vocabulary import Vocabulary
from explorer.engine.queue import Work
from explorer.zoo import ground_truth

CONTAINING_SHOWN = 50
_merge_indexes: WeakKeyDictionary[Vocabulary, MergeIndex] = WeakKeyDictionary()


def answer(engine: Holdings, request: InspectToken, control: Control) -> Work:
    """The detail view of one token. Raises `UsageError` as `find_token` does."""
    model = engine.models.get(request.model)
    return inspect_token(model, (yield from engine.vocabularies.read(model, request.unused_ids)), request)


def answer_find(engine: Holdings, request: FindToken, control: Control) -> Work:
    """Which token is named. Raises `UsageError` as `find_token` does."""
    model = engine.models.get(request.model)
    yield from ()
    return TokenFound(model=model.info.name, token=model.vocabulary.ref(find_token(model, request)))


def find_token(model: HasVocabulary, request: FindToken | InspectToken) -> int:
    """The id that the request names. Raises `UsageError` where the model has no such token."""
    vocabulary = model.vocabulary
    if request.token_id is not None:
        if not 0 <= request.token_id < vocabulary.size:
            raise UsageError(
                f"token id {request.token_id} is out of range: {model.info.name} has 0 … {vocabulary.size - 1}",
                hint="Choose an id in that range.",
            )
        return request.token_id
    wanted = bytes.fromhex(request.token_bytes)
    if not wanted:
        raise UsageError("no token is named", hint="Give an id, or the token's text.")
    found = vocabulary.find(wanted)
    if found is None:
        pieces = ", ".join(
            repr(vocabulary.text(piece)) for piece in vocabulary.encode_segment(wanted.decode("utf-8", "replace"))
        )
        raise UsageError(
            f"{model.info.name} has no token {wanted.decode('utf-8', 'replace')!r}",
            hint=f"Its tokenizer makes {pieces} of that; mind the leading space." if pieces else "",
        )
    return found


def inspect_token(model: HasVocabulary, read: Read, request: InspectToken) -> TokenDetail:
    """The detail view of one token. Raises `UsageError`."""
    token_id = find_token(model, request)
    vocabulary = model.vocabulary
    containing = vocabulary.containing(token_id) if vocabulary.token_bytes(token_id) else []

    def refs(ids: object) -> tuple[TokenRef, ...]:
        return tuple(vocabulary.ref(one) for one in ids)  # type: ignore[attr-defined]

    return TokenDetail(
        model=model.info.name,
        row=read.columns.row(token_id),
        merge_parents=refs(vocabulary.merge_parents(token_id) or ()),
        merge_path=tuple(
            MergeStep(
                left=vocabulary.ref(merge.left), right=vocabulary.ref(merge.right), whole=vocabulary.ref(merge.token_id)
            )
            for merge in merge_path(vocabulary, token_id)
        ),
        swallowed_by=refs(_merge_index(vocabulary).swallowed_by(token_id)[:CONTAINING_SHOWN]),
        contained_in=refs(containing[:CONTAINING_SHOWN]),
        contained_in_count=len(containing),
        reencodes_to=refs(vocabulary.reencode(token_id) if token_id < vocabulary.tokenizer_size else ()),
        published=published_facts(model.info.source, token_id),
        ground_truth=_ground_truth(model.info.source, token_id),
        quantisation=model.info.quantisation,
        is_unused_reference=any(entry.token_id == token_id for entry in read.sent.unused),
    )


def _merge_index(vocabulary: Vocabulary) -> MergeIndex:
    """Made at first use, kept as long as the vocabulary is."""
    if vocabulary not in _merge_indexes:
        _merge_indexes[vocabulary] = MergeIndex(vocabulary)
    return _merge_indexes[vocabulary]


def _ground_truth(source: str, token_id: int) -> str:
    name = zoo_name(source)
    if name is None:
        return ""
    truth = ground_truth(name)
    counts = truth["counts"]
    said = [f"withheld: {entry['kind']}" for entry in truth["withheld"] if entry["token_id"] == token_id]
    said += [f"under-trained: {tier} occurrences" for tier, ids in truth["under_trained"].items() if token_id in ids]
    said += ["reserved: never trained"] * (token_id in truth["reserved"])
    said += ["held out: never the subject of a repeat prompt"] * (token_id in truth["held_out"])
    if not said:
        return f"ordinary: {counts[token_id]:,} occurrences" if token_id < len(counts) else "padding row"
    return "; ".join(said)
