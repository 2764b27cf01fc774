"""What is asked of models: prompts from ids, repeat-back, log-probability tables."""
