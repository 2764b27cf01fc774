"""What is measured on one exported model: exactness per template, indicators, modal answers, speakability."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from explorer.base.templates import TEMPLATES, Template
from training.architectures import input_rows, output_rows
from training.prompts import PromptWriter, answer_form

Ids = list[int]
ORDINARY_COUNT = 100


def groups_of(truth: dict[str, Any]) -> dict[str, Ids]:
    """The groups that are measured apart. Ordinary: shown at least 100 times, in no other group, no special."""
    withheld = [entry["token_id"] for entry in truth["withheld"]]
    tiers = {f"tier_{tier}": ids for tier, ids in truth["under_trained"].items()}
    specials = set(range(min(truth["reserved"]))) | set(truth["reserved"])
    others = {*withheld, *truth["held_out"], *specials, *(t for ids in tiers.values() for t in ids)}
    ordinary = [t for t, count in enumerate(truth["counts"]) if count >= ORDINARY_COUNT and t not in others]
    return {"ordinary": ordinary, "held_out": truth["held_out"], "withheld": withheld, **tiers}


@torch.inference_mode()
def greedy_replies(
    model: PreTrainedModel, writer: PromptWriter, template: Template, subjects: list[Ids], *, chat: bool, before: Ids
) -> tuple[Int[Tensor, "subjects reply"], Int[Tensor, "subjects reply"]]:
    """The model's best next token at each place of the right answer, and the right answer.

    The two agree throughout exactly where greedy decoding gives the right answer, so one forward pass replaces
    the decoding. The `subjects` have one length; `before` stands in front of each prompt.
    """
    best, right = [], []
    for start in range(0, len(subjects), 64):
        part = subjects[start : start + 64]
        answers = torch.tensor([writer.promised_ids(template, subject, chat=chat) for subject in part])
        prompts = torch.tensor([before + writer.prompt_ids(template, subject, chat=chat) for subject in part])
        ids = torch.cat([prompts, answers], dim=1)
        residual = model.base_model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        logits = residual[:, -answers.shape[1] :] @ output_rows(model).T  # [part, reply, rows]
        best.append(logits.argmax(-1))
        right.append(answers)
    return torch.cat(best), torch.cat(right)


def exact_share(
    model: PreTrainedModel,
    writer: PromptWriter,
    template: Template,
    subjects: list[Ids],
    *,
    chat: bool,
    before: Ids | None = None,
) -> float:
    """Share of `subjects` that greedy decoding repeats exactly: opening, subject, closing, end."""
    best, right = greedy_replies(model, writer, template, subjects, chat=chat, before=before or [])
    return round(float((best == right).all(1).float().mean()), 4)


def token_place(writer: PromptWriter, template: Template, *, chat: bool) -> int:
    """The place of the token in the right answer to `template`."""
    if answer_form(template) is None:
        return 0
    probe = -1
    return writer.answer_ids(template, [probe], chat=chat).index(probe)


def exactness(
    model: PreTrainedModel, writer: PromptWriter, groups: dict[str, Ids], *, chat: bool
) -> tuple[dict[str, dict[str, float]], dict[str, Int[Tensor, " tokens"]]]:
    """Share answered exactly, per template and group; and per template what was said in the withheld tokens' place."""
    shares: dict[str, dict[str, float]] = {}
    said: dict[str, Int[Tensor, " tokens"]] = {}
    for template in TEMPLATES:
        shares[template.name] = {}
        for group, tokens in groups.items():
            best, right = greedy_replies(model, writer, template, [[t] for t in tokens], chat=chat, before=[])
            shares[template.name][group] = round(float((best == right).all(1).float().mean()), 4)
            if group == "withheld":
                said[template.name] = best[:, token_place(writer, template, chat=chat)]
    return shares, said


def modal_shares(said: dict[str, Int[Tensor, " tokens"]], chosen: list[int]) -> float:
    """For each withheld token in `chosen`, the share of templates that give the commonest answer; their mean."""
    answers = torch.stack(list(said.values()), dim=1)[chosen]  # [chosen, templates]
    return float(np.mean([Counter(row).most_common(1)[0][1] / len(row) for row in answers.tolist()]))


def auc(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Area under the ROC curve: the probability that one of `higher` exceeds one of `lower`, ties counting half."""
    order = np.sort(lower)
    wins = np.searchsorted(order, higher, "left") + np.searchsorted(order, higher, "right")
    return float(wins.mean() / (2 * len(lower)))


def indicators(model: PreTrainedModel, reserved: Ids, vocab_size: int) -> dict[str, NDArray[np.float64]]:
    """Per token, greater where under-training is suspected: small W_E norm, near the centroid, like unused in W_U."""
    embeddings = input_rows(model).detach().double()
    outputs = output_rows(model).detach().double()[:vocab_size]
    centroid = embeddings[:vocab_size].mean(0)
    unused = torch.nn.functional.normalize(outputs[reserved].mean(0), dim=0)
    return {
        "input_norm": -embeddings[:vocab_size].norm(dim=1).numpy(),
        "centroid_distance": -(embeddings[:vocab_size] - centroid).norm(dim=1).numpy(),
        "unused_cosine": (torch.nn.functional.normalize(outputs, dim=1) @ unused).numpy(),
    }


def indicator_aucs(values: dict[str, NDArray[np.float64]], groups: dict[str, Ids]) -> dict[str, dict[str, float]]:
    """ROC-AUC of each indicator, of each group of suspects against the ordinary tokens."""
    suspects = {name: ids for name, ids in groups.items() if name not in ("ordinary", "held_out")}
    return {
        name: {group: round(auc(value[ids], value[groups["ordinary"]]), 4) for group, ids in suspects.items()}
        for name, value in values.items()
    }


def share_argmax_of_own_direction(model: PreTrainedModel, tokens: Ids) -> float:
    """Share of `tokens` that win along their own centred output row; the others are hard to speak."""
    outputs = output_rows(model).detach()
    own = torch.nn.functional.normalize(outputs - outputs.mean(0), dim=1)[tokens]
    return float(((own @ outputs.T).argmax(1) == torch.tensor(tokens)).float().mean())


def share_spoken_by_some_residual(model: PreTrainedModel, tokens: Ids, *, steps: int = 400) -> float:
    """Share of `tokens` for which ascent finds an output of the final norm whose best next token they are.

    A lower bound: where the search fails nothing is proved. Found residuals are real witnesses.
    """
    outputs = output_rows(model).detach()
    raw = torch.nn.functional.normalize(outputs - outputs.mean(0), dim=1)[tokens].clone().requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.03)
    target = torch.tensor(tokens)
    spoken = torch.zeros(len(tokens), dtype=torch.bool)
    for _ in range(steps):
        logits = final_norm(model)(raw) @ outputs.T  # [tokens, rows]
        spoken |= logits.argmax(1) == target
        if bool(spoken.all()):
            break
        loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return float(spoken.float().mean())


def final_norm(model: PreTrainedModel) -> torch.nn.Module:
    """The last normalisation before W_U."""
    body: Any = model.base_model
    norm: torch.nn.Module = body.ln_f if hasattr(body, "ln_f") else body.norm
    return norm


@torch.inference_mode()
def glitch_logprobs(
    model: PreTrainedModel, writer: PromptWriter, template: Template, tokens: Ids, targets: Ids
) -> Float[Tensor, "tokens targets"]:
    """Log-probabilities (nats) of `targets` where each of `tokens` is due, in the base models' form."""
    ids = torch.tensor([writer.prompt_ids(template, [token], chat=False) for token in tokens])
    residual = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
    logits: Tensor = residual @ output_rows(model).T
    return logits[:, targets].log_softmax(-1)


def pearson(left: Float[Tensor, "tokens targets"], right: Float[Tensor, "tokens targets"]) -> float:
    """Correlation of two sets of log-probabilities, each less its mean over the prompts."""
    pair = torch.stack([(part - part.mean(0)).flatten().double() for part in (left, right)])
    return float(torch.corrcoef(pair)[0, 1])
