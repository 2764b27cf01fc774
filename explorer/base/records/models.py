"""Models: which are loaded, and which could be."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.servers import Server

Ability = Literal["vocabulary", "weights", "next_tokens", "generation", "hidden"]
ABILITIES: tuple[Ability, ...] = ("vocabulary", "weights", "next_tokens", "generation", "hidden")
"""`vocabulary`: ids, bytes and categories; `weights`: W_E, W_U and bias; `next_tokens`: log-probabilities of what comes
next; `generation`: replies; `hidden`: residual streams, hooks and gradients."""


TargetsBy = Literal["request", "forced", "echo", "none"]
Same = Literal["proved", "sampled", "unknown"]
Reads = Literal["ids", "text", "chat"]
Keyed = Literal["id", "bytes", "text", "none"]


class Reach(Record, kw_only=True):
    """What a server was seen to tell, by asking it; of a model here None."""

    kind: str
    """`vllm`, `llama`, `sglang` or `openai`."""
    version: str = ""
    """What the server calls itself."""
    whole: bool
    """Log-probabilities of the whole vocabulary, by id, whose probabilities sum to 1."""
    targets: TargetsBy
    """How the log-probability of a chosen id is had: by asking for it, by forcing it to be chosen, by having the prompt
    echoed with it as its last id, or not at all."""
    top: int
    """Likeliest ids that it names: the vocabulary's size where it tells all."""
    raw: bool
    """Whether its log-probabilities are those before temperature."""
    same_in_batch: bool
    """Whether the same prompt, asked again and beside others, was answered with the same numbers within 1e-4."""
    same_vocabulary: Same
    """Whether its tokens were seen to be those of the tokenizer at hand: all of them, those of some texts (or how many
    they are), or not at all."""
    sum_off: float = 0.0
    """How far its probabilities sum beside 1, at most."""
    reads: Reads = "ids"
    """What it takes as a prompt: ids; text, which its own tokenizer reads; or a question, around which it writes its
    own chat template. Prompts that this tokenizer would read as other ids are not sent as text."""
    keyed: Keyed = "id"
    """How it names tokens; by bytes or text, those that several tokens share are not known. `none`: it names none."""


class ModelInfo(Record, kw_only=True):
    """A loaded model: where it came from and what it is. Enough to load the same one again elsewhere."""

    name: str
    """Short unique name in the roster, as requests use it."""
    source: str
    """Source string: `zoo:mynah`, a directory, a GGUF file, a hub id, `weights:…`. Paths are shown by their last part
    in session files (`explorer.sessions` cuts them)."""
    architecture: str
    revision: str = ""
    """Commit of a hub model; empty for a directory."""
    weights_digest: str = ""
    """SHA-256 of the safetensors files' content (names, shapes, bytes), hexadecimal, first 32 digits. Of a model behind
    a server its fingerprint: of what the server says that it serves, and of its answers to a few prompts."""
    tokenizer_digest: str = ""
    """SHA-256 of the vocabulary (every id's bytes, in order), hexadecimal, first 32 digits."""
    dtype: str
    quantisation: str = ""
    """How the checkpoint's weights are quantised, such as 'embeddings Q8_0, blocks Q4_1'; they run and are measured
    dequantised. Empty where they are not."""
    device: str
    vocab_size: int
    """Rows of the embedding matrix."""
    tokenizer_size: int
    """Ids the tokenizer knows; rows from here on are padding."""
    d_model: int
    n_layers: int = 0
    n_parameters: int = 0
    context: int = 0
    """Longest prompt + reply in tokens; 0 where there is no limit known."""
    tied: bool = False
    has_chat_template: bool = False
    can_run: bool = True
    """False for `weights:` sources: geometry only."""
    memory_bytes: int = 0
    """Bytes its parameters take on the device."""
    tokenizer: str = ""
    """The folder or hub id whose tokenizer it was given; empty: its own."""
    chat_day: str = ""
    """The date that its chat template is given, ISO 8601; empty where the template asks for none."""
    abilities: tuple[Ability, ...] = ()
    """What it can do; empty in sessions recorded before models said so."""
    reach: Reach | None = None
    """Of a model behind a server, what the server tells."""

    def shares_ids(self, other: ModelInfo) -> bool:
        """Whether a token's id means the same to both: they are one model, or have the same tokenizer."""
        return self.name == other.name or (self.tokenizer_digest == other.tokenizer_digest != "")


class DeviceMemory(Record, kw_only=True):
    """Memory of one device, in bytes."""

    device: str
    used: int
    """Taken by this engine."""
    free: int
    total: int


class LoadModel(Request, kw_only=True):
    """Load a model into the roster (a second load of the same source and dtype is answered at once)."""

    source: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    allow_pickle: bool = False
    tokenizer: str = ""
    """A folder or hub id whose tokenizer is used instead of the source's own; empty: its own."""
    chat_day: str = ""
    """The date that the chat template is given, ISO 8601; empty: today's."""
    server: Server | None = None
    """Where `source` is a server's: what the settings say of it."""


class ModelLoaded(Outcome, kw_only=True):
    info: ModelInfo


class UnloadModel(Request, kw_only=True):
    model: str


class ModelUnloaded(Outcome, kw_only=True):
    model: str


class ReadRoster(Request, kw_only=True):
    """Which models are loaded and how much memory is left."""


class Roster(Outcome, kw_only=True):
    models: tuple[ModelInfo, ...]
    devices: tuple[DeviceMemory, ...]


class ListModels(Request, kw_only=True):
    """What could be loaded without the network: the zoo and what the hub cache holds."""


class CatalogueEntry(Record, kw_only=True):
    source: str
    origin: Literal["zoo", "hub cache", "settings"]
    description: str = ""
    size_bytes: int = 0
    loaded: bool = False


class ModelCatalogue(Outcome, kw_only=True):
    entries: tuple[CatalogueEntry, ...]
