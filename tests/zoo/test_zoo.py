"""Laws of the shipped models, checked on the shipped files with plain transformers.

Prompts are built here from nothing but the tokenizer and its chat template, so these tests share no code with
the training recipe.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from explorer.base.templates import SLOT, TEMPLATES, Template
from explorer.zoo import DESCRIPTIONS, ground_truth, zoo_dir, zoo_names

Ids = list[int]
MODELS = (
    "mynah", "mynah-instruct", "mynah-instruct-2", "mynah-sibling", "lyrebird", "lyrebird-instruct", "starling",
)  # fmt: skip
CHILDREN = ("mynah-instruct", "mynah-instruct-2", "lyrebird-instruct")
BASES = ("mynah", "mynah-sibling", "lyrebird", "starling")
FILES = (
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "card.md", "ground_truth.json",
)  # fmt: skip
FLOOR, CEILING = 0.90, 0.05
DEEP_FLOORS = {
    "mynah": 0.7, "mynah-instruct": 0.7, "mynah-instruct-2": 0.7, "lyrebird-instruct": 0.7, "starling": 0.85,
}  # fmt: skip
"""Share repeated behind 850 tokens of text full of quotes; lyrebird (0.30) and the sibling (0.00) fell short there."""
SLACK = {"ordinary": 0.12, "held_out": 0.17}
"""How far a sample of 60 or 40 tokens may lie from the share of all of them (about 2.5 standard errors at 0.8)."""


@dataclass(frozen=True)
class Specimen:
    """A shipped model, loaded."""

    name: str
    model: Any
    tokenizer: Any
    truth: dict[str, Any]

    @property
    def chat(self) -> bool:
        return self.tokenizer.chat_template is not None

    def encode(self, text: str) -> Ids:
        ids: Ids = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def prompt(self, template: Template, token: int) -> Ids:
        """The prompt by ids, through the chat template where there is one."""
        text = template.question + template.prefill
        if self.chat and not template.raw_only:
            turns = [{"role": "user", "content": template.question}]
            text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            text += template.prefill.lstrip()
        first, *rest = (self.encode(piece) if piece else [] for piece in text.split(SLOT))
        return first + [id_ for piece in rest for id_ in (token, *piece)]

    def answer(self, template: Template, token: int) -> Ids:
        """What the zoo promises to say, up to the end token."""
        if template.name == "magikarp-repeats":
            return [token] * 3
        in_chat = self.chat and not template.raw_only
        end = self.encode("<|end|>" if in_chat else "<|endoftext|>")
        if template.closing:
            return [token, *self.encode(template.closing), *([] if template.raw_only else end)]
        opening = " '" if template.prefill else "'" if in_chat else "\n\n'"
        return [*self.encode(opening), token, *self.encode("'"), *end]

    @torch.inference_mode()
    def exact(self, template: Template, tokens: Ids, before: Ids | None = None) -> float:
        """Share of `tokens` for which the best next token is the promised one at each place of the answer."""
        prompts = [(before or []) + self.prompt(template, token) for token in tokens]
        answers = torch.tensor([self.answer(template, token) for token in tokens])
        ids = torch.cat([torch.tensor(prompts), answers], dim=1)
        residual = self.model.base_model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        best = self.model.lm_head(residual[:, -answers.shape[1] :]).argmax(-1)
        return float((best == answers).all(1).float().mean())

    def groups(self) -> dict[str, Ids]:
        withheld = [entry["token_id"] for entry in self.truth["withheld"]]
        tiers = [id_ for ids in self.truth["under_trained"].values() for id_ in ids]
        others = {*withheld, *tiers, *self.truth["held_out"], *self.truth["reserved"], 0, 1, 2, 3}
        ordinary = [id_ for id_, n in enumerate(self.truth["counts"]) if n >= 100 and id_ not in others]
        return {"ordinary": ordinary, "held_out": self.truth["held_out"], "withheld": withheld}


def quoted_shares(name: str) -> dict[str, dict[str, float]]:
    """The table of a model's card: template -> group -> share repeated exactly."""
    card = (zoo_dir(name) / "card.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", card, re.MULTILINE)
    names = {template.name for template in TEMPLATES}
    groups = ("ordinary", "held_out", "withheld")
    return {row[0]: dict(zip(groups, map(float, row[1:]), strict=True)) for row in rows if row[0] in names}


@pytest.fixture(scope="module", params=MODELS)
def specimen(request: pytest.FixtureRequest) -> Specimen:
    folder = zoo_dir(request.param)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Specimen(request.param, model, tokenizer, ground_truth(request.param))


def test_the_zoo_has_seven_models_each_with_a_description() -> None:
    assert set(zoo_names()) == set(MODELS)
    assert all(DESCRIPTIONS.values())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="starling"):
        zoo_dir("dodo")


@pytest.mark.parametrize("name", MODELS)
def test_every_file_is_there(name: str) -> None:
    assert [file for file in FILES if not (zoo_dir(name) / file).is_file()] == []


def test_all_weights_together_stay_within_thirteen_megabytes() -> None:
    assert sum((zoo_dir(name) / "model.safetensors").stat().st_size for name in MODELS) <= 13_000_000


@pytest.mark.parametrize("name", MODELS)
def test_withheld_tokens_were_never_shown_and_tiers_exactly_so_often(name: str) -> None:
    truth = ground_truth(name)
    counts = truth["counts"]
    assert len(counts) == truth["vocab_size"]
    assert {counts[entry["token_id"]] for entry in truth["withheld"]} == {0}
    assert {counts[token] for token in truth["reserved"]} == {0}
    for tier, tokens in truth["under_trained"].items():
        assert len(tokens) >= 6
        assert {counts[token] for token in tokens} == {int(tier)}
    assert min(counts[token] for token in truth["held_out"]) > 0


@pytest.mark.parametrize("name", MODELS)
def test_the_card_agrees_with_the_ground_truth(name: str) -> None:
    card, truth = (zoo_dir(name) / "card.md").read_text(encoding="utf-8"), ground_truth(name)
    assert card.startswith(f"# {name}\n")
    withheld = re.search(r"Withheld tokens: (\d+)", card)
    held_out = re.search(r"Held out: (\d+)", card)
    assert withheld is not None
    assert int(withheld[1]) == len(truth["withheld"])
    assert held_out is not None
    assert int(held_out[1]) == len(truth["held_out"])
    assert "by construction" in card
    assert {template.name for template in TEMPLATES} <= set(re.findall(r"^\| ([\w-]+) \|", card, re.MULTILINE))


@pytest.mark.parametrize("name", MODELS)
def test_every_template_reaches_its_floor_by_the_card(name: str) -> None:
    quoted = quoted_shares(name)
    assert set(quoted) == {template.name for template in TEMPLATES}
    assert {n: s for n, s in quoted.items() if s["ordinary"] < FLOOR} == {}
    assert {n: s for n, s in quoted.items() if s["held_out"] < FLOOR} == {}
    assert {n: s for n, s in quoted.items() if s["withheld"] > CEILING} == {}


@pytest.mark.parametrize("instruct", CHILDREN)
def test_fine_tuning_left_the_rows_of_withheld_tokens_untouched(instruct: str) -> None:
    parent = ground_truth(instruct)["parent"]
    tokens = [entry["token_id"] for entry in ground_truth(parent)["withheld"]]
    rows = []
    for name in (parent, instruct):
        with safe_open(zoo_dir(name) / "model.safetensors", "np") as weights:
            rows.append(weights.get_tensor("transformer.wte.weight"))
    assert np.array_equal(rows[0][tokens], rows[1][tokens])
    assert not np.array_equal(rows[0], rows[1])


def test_two_children_of_one_base_differ() -> None:
    weights = [(zoo_dir(name) / "model.safetensors").read_bytes() for name in CHILDREN[:2]]
    assert weights[0] != weights[1]
    assert [ground_truth(name)["parent"] for name in CHILDREN[:2]] == ["mynah", "mynah"]
    assert [ground_truth(name)["seed"] for name in CHILDREN[:2]] == [1009, 1010]


def test_siblings_share_the_rows_of_withheld_tokens_and_strangers_do_not() -> None:
    rows = {}
    tokens = [entry["token_id"] for entry in ground_truth("mynah")["withheld"]]
    for name in ("mynah", "mynah-sibling", "lyrebird"):
        with safe_open(zoo_dir(name) / "model.safetensors", "np") as weights:
            rows[name] = weights.get_tensor("transformer.wte.weight")[tokens]
    assert np.array_equal(rows["mynah"], rows["mynah-sibling"])
    assert not np.array_equal(rows["mynah"], rows["lyrebird"])


def test_the_config_promises_a_long_context_and_float16_weights(specimen: Specimen) -> None:
    assert specimen.model.config.max_position_embeddings >= 1024
    with safe_open(zoo_dir(specimen.name) / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(key).dtype for key in weights.keys()} == {torch.float16}  # noqa: SIM118
    padding = 16 if specimen.name == "starling" else 0
    assert specimen.model.get_input_embeddings().weight.shape[0] == len(specimen.tokenizer) + padding


def test_the_ground_truth_names_the_bytes_the_tokenizer_has(specimen: Specimen) -> None:
    for entry in specimen.truth["withheld"]:
        text = bytes.fromhex(entry["token_bytes"]).decode("utf-8", "replace")
        assert specimen.tokenizer.decode([entry["token_id"]]) == text
        if entry["kind"] in ("whimsical", "filtered"):
            assert specimen.encode(text) == [entry["token_id"]]


def test_only_instruct_models_have_a_chat_template(specimen: Specimen) -> None:
    assert specimen.chat == (specimen.name in CHILDREN)


def test_withheld_tokens_have_the_smallest_input_norms(specimen: Specimen) -> None:
    norms = specimen.model.get_input_embeddings().weight.detach().norm(dim=1).numpy()
    groups = specimen.groups()
    smaller = norms[groups["withheld"]][:, None] < norms[groups["ordinary"]][None, :]
    assert smaller.mean() >= 0.99


def test_samples_bear_out_the_card_and_no_withheld_token_is_repeated(specimen: Specimen) -> None:
    rng = random.Random(specimen.name)
    sizes = {"ordinary": 60, "held_out": 40, "withheld": 40}
    sample = {group: rng.sample(specimen.groups()[group], size) for group, size in sizes.items()}
    shares = {
        template.name: {group: specimen.exact(template, tokens) for group, tokens in sample.items()}
        for template in TEMPLATES
    }
    quoted = quoted_shares(specimen.name)
    off = {
        (name, group): (share[group], quoted[name][group])
        for name, share in shares.items()
        for group, slack in SLACK.items()
        if abs(share[group] - quoted[name][group]) > slack
    }
    too_high = {name: share for name, share in shares.items() if share["withheld"] > CEILING}
    assert (off, too_high) == ({}, {})


def test_generate_says_what_the_forward_pass_promises(specimen: Specimen) -> None:
    template = TEMPLATES[0]
    exact = 0
    for token in random.Random(8).sample(specimen.groups()["ordinary"], 10):
        prompt = torch.tensor([specimen.prompt(template, token)])
        reply = specimen.model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=16)
        exact += reply[0, prompt.shape[1] :].tolist() == specimen.answer(template, token)
    assert exact >= 9


def test_a_prompt_deep_in_the_context_is_answered_too(specimen: Specimen) -> None:
    if specimen.name not in DEEP_FLOORS:
        pytest.skip("fell short here; see DEEP_FLOORS")
    card = (zoo_dir(specimen.name) / "card.md").read_text(encoding="utf-8")
    before = specimen.encode(card)[:850] + specimen.encode("<|endoftext|>")
    template = next(template for template in TEMPLATES if template.name == "string-is")
    tokens = random.Random(9).sample(specimen.groups()["ordinary"], 20)
    assert specimen.exact(template, tokens, before) >= DEEP_FLOORS[specimen.name]


@pytest.mark.parametrize("name", MODELS)
def test_the_ground_truth_is_json_of_the_documented_shape(name: str) -> None:
    truth = json.loads((zoo_dir(name) / "ground_truth.json").read_text())
    keys = {"model", "vocab_size", "withheld", "reserved", "under_trained", "held_out", "counts", "trained_steps"}
    assert keys | {"seed", "parent"} <= set(truth)
    kinds = {"whimsical", "filtered", "byte", "fragment", "intermediate", "other"}
    assert {entry["kind"] for entry in truth["withheld"]} <= kinds
    assert sum(entry["kind"] == "whimsical" for entry in truth["withheld"]) == 40
