"""What the engine holds, as the answers see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from explorer.engine.answers.lineage.kept import KeptAnswers
    from explorer.engine.answers.maps.kept import MapKeeper
    from explorer.engine.answers.speakability.unembedding import Unembeddings
    from explorer.engine.answers.vocabulary import VocabularyReader
    from explorer.engine.models.roster import Roster


class Holdings(Protocol):
    """The loaded models, and what was computed about them and kept."""

    models: Roster
    vocabularies: VocabularyReader
    unembeddings: Unembeddings
    said: KeptAnswers
    maps: MapKeeper
