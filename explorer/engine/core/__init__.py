"""Numbers: pure functions of tensors and arrays. Nothing here knows of models, screens or files."""
