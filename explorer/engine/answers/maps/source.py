"""What a map is made from: a model's matrix, and what is known of its tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor

from explorer.base.errors import ExplorerError
from explorer.base.records.neighbours import Space
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.maps.kept import MapKeeper, Telling
from explorer.engine.answers.vocabulary import Read
from explorer.engine.core.principal import counted_rows
from explorer.engine.models.abilities import HasWeights, weights_of


@dataclass
class Source:
    """A model's matrix, and what is known of its tokens."""

    model: HasWeights
    read: Read
    space: Space
    keeper: MapKeeper
    _counted: list[Bool[Tensor, " vocab"]] = field(default_factory=list)

    @property
    def matrix(self) -> Float[Tensor, "vocab d_model"]:
        """The rows of this space. Raises `ExplorerError` where the model has none."""
        embeddings = self.model.embeddings()
        if self.space == "input":
            return embeddings.input
        if embeddings.output is None:
            raise ExplorerError(
                f"{self.model.info.name} has no output embeddings", hint="Map the input embeddings (W_E)."
            )
        return embeddings.output

    @property
    def counted(self) -> Bool[Tensor, " vocab"]:
        """The tokens that have a place on a map."""
        if not self._counted:
            self._counted.append(counted_rows(self.matrix, self.model.vocabulary.tokenizer_size))
        return self._counted[0]


def read_source(
    engine: Holdings, name: str, space: Space, unused_ids: tuple[int, ...] | None = None
) -> Telling[Source]:
    """The matrix of a loaded model. Raises `ExplorerError` where it has none; `unused_ids`: reference tokens, None:
    found automatically."""
    model = weights_of(engine.models.get(name))
    return Source(model, (yield from engine.vocabularies.read(model, unused_ids)), space, engine.maps)
