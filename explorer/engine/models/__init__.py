"""Where logits and embeddings come from: sources, checkpoints, vocabularies, loaded models, the roster."""
