"""What the words on the screen mean: the second half of the help."""

from __future__ import annotations

TERMS: tuple[tuple[str, str], ...] = (
    ("token, id", "An entry of the vocabulary, and its index. A text may belong to two ids."),
    ("vocab, d_model", "How many tokens there are, and how many numbers a row of an embedding matrix has."),
    ("#0, rank", "How many tokens are likelier: the likeliest token has rank 0."),
    ("logprob, nats", "The natural logarithm of a probability; 0 is certain."),
    ("entropy", "How widely the distribution of the next token is spread, in nats; 0: one token has it all."),
    ("W_E, W_U", "The input embeddings and the unembedding, a row a token; tied: both are one matrix."),
    ("centroid, d, cos", "The mean of all rows, the Euclidean distance to it, and the cosine with it."),
    ("indicator", "A number a token, from the weights alone, that hints at under-training."),
    ("pct", "The percentile of an indicator among ordinary tokens (category ok)."),
    ("robust z", "(value − median) / (1.4826 · median absolute deviation), among ordinary tokens."),
    ("under-trained", "Hardly moved by training; told by indicators."),
    ("glitch token", "A token that the model treats wrongly; told by what the model says."),
    ("withheld", "Of a zoo model's token: kept out of its training on purpose, says the model's card."),
    ("under_trained", "Of a zoo model's token: rarely in its training on purpose, says the model's card."),
    ("reference tokens", "Tokens known or found never to have been trained; some indicators measure from them."),
    ("category", "ok, special, byte, fragment (not valid UTF-8 alone), unreachable (its text is encoded to other "
     "tokens), padding (beyond the tokenizer)."),
    ("swallowed by", "The tokens of whose merge this one is a part: where they are made, it disappears."),
    ("contained in", "The tokens whose bytes contain this one's."),
    ("re-encodes to", "What the tokenizer makes of the token's own text."),
    ("control", "An ordinary token of like script and length, asked the same."),
    ("template, slot", "The form of a prompt, and the place {token} in it that the token's id goes to."),
    ("definition, verdict", "A named rule that says which tokens are glitch tokens, and what it says of one."),
    ("hard to speak", "Another token wins along this token's own row of the unembedding."),
    ("speakable", "The token is the argmax of the logits for some x; unspeakable: proved for none."),
    ("ball, box, cone", "Which x count: of norm at most √d_model; of entries within ±1; any."),
    ("folded", "The final norm's scale and bias are multiplied into the unembedding."),
    ("witness", "An x at which the token wins."),
    ("certificate", "The proof either way, so that it can be checked again without the solver."),
    ("residual", "The vector of a position between two layers of the model."),
    ("lineage, base, child", "Which model was trained on from which."),
    ("check, agreement", "To ask a session's requests again, and whether the answers are the same."),
)  # fmt: skip
"""Word and meaning."""
