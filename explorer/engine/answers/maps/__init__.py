"""Maps: a whole vocabulary on a plane."""
