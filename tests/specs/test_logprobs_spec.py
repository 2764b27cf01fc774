"""What is printed of log-probabilities: each prompt with the models that read it."""

from __future__ import annotations

import msgspec

from explorer.base.records.logprobs import LogprobTable
from explorer.specs.blocks import Quote, Words
from explorer.specs.logprobs import blocks
from tests.tui.snapshot_samples import READ_LOGPROBS, logprob_column


def said_of_prompts(*prompts: str) -> list[str]:
    """The sentences and quotations above the table, where the models read these prompts."""
    names = ("mynah", "mynah-instruct", "lyrebird")
    columns = tuple(
        msgspec.structs.replace(logprob_column(name), prompt=prompt)
        for name, prompt in zip(names, prompts, strict=False)
    )
    table = LogprobTable(targets=READ_LOGPROBS.targets, columns=columns)
    return [block.text for block in blocks(READ_LOGPROBS, table) if isinstance(block, Words | Quote)]


def test_each_prompt_stands_once_with_the_models_that_read_it() -> None:
    said = said_of_prompts("The word is", "<|user|>The word is", "The word is")
    assert said == ["mynah, lyrebird read:", "The word is", "mynah-instruct read:", "<|user|>The word is"]


def test_one_prompt_of_all_models_needs_no_names() -> None:
    assert said_of_prompts("The word is", "The word is") == ["The word is"]
