"""Where a model's evidence is kept: by weights, vocabulary and question, and by the ids that the prompt is made of.

The ids say what neither a digest of the vocabulary nor the question says: how the tokenizer splits the words, whether
it puts a BOS, what the chat template writes, and on which day where it writes the date. Answers to different prompts
never meet in one file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.engine.answers.cache import Entry
from explorer.engine.answers.verification.evidence_file import EvidenceFile, read_frames
from explorer.engine.answers.verification.questions import PromptForm, Question, prompt_form
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.models.abilities import has_hidden

if TYPE_CHECKING:
    from explorer.base.records.models import ModelInfo
    from explorer.engine.models.abilities import HasVocabulary


def evidence_folder(cache: Path, info: ModelInfo) -> Path:
    """A model's folder in `cache`: by its weights, its vocabulary and the dtype it runs in, not by its name.

    Raises `BehaviourError` for a model without a digest, whose evidence could be taken for another's.
    """
    if not info.weights_digest:
        raise BehaviourError(f"{info.name} has no digest of its weights", "Evidence is kept under the digest.")
    device = info.device.split(":")[0]
    return cache / f"{info.weights_digest}-{info.tokenizer_digest[:12]}-{info.dtype}-{device}"


def evidence_path(folder: Path, question: Question, form: PromptForm) -> Path:
    """Where the answers to `question`, asked with the ids of `form`, are kept in a model's folder."""
    asked = hashlib.sha256(form.ids.tobytes() + form.slots.tobytes()).hexdigest()
    return folder / f"{question.key}-{asked[:8]}.sqlite"


def open_evidence(
    model: HasVocabulary, question: Question, folder: Path, *, write: bool, fresh: bool = False
) -> EvidenceFile:
    """The evidence of `question` in the model's `folder`; raises as `EvidenceFile` and `prompt_form` do."""
    form = prompt_form(model.vocabulary, question)

    def read_earlier() -> Iterator[Entry]:
        """The entries of version 0.1, whose files were named by the question alone, where it asked the same ids."""
        file = folder / f"{question.key}.evidence"
        if file.exists() and _was_asked_before(model, question, form):
            yield from read_frames(file, question.dtype)

    path = evidence_path(folder, question, form)
    return EvidenceFile(path, question.dtype, model.info.vocab_size, read_earlier, write=write, fresh=fresh)


def _was_asked_before(model: HasVocabulary, question: Question, form: PromptForm) -> bool:
    """Whether version 0.1, which let transformers choose the tokenizer's class, asked with the same ids."""
    from explorer.engine.models.checkpoints.tokenizer_files import converted_tokenizer
    from explorer.engine.models.vocabulary import Vocabulary

    if has_hidden(model) and not model.info.tokenizer and (question.is_plain or not model.info.chat_day):
        try:
            before = prompt_form(Vocabulary(converted_tokenizer(model.directory), model.info.vocab_size), question)
        except Exception:  # transformers' classes raise anything for folders that they cannot read
            return False
        return before.ids.tobytes() == form.ids.tobytes()
    return False
