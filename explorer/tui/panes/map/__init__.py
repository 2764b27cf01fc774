"""The map of a whole vocabulary: drawing, windows and labels as pure functions."""
