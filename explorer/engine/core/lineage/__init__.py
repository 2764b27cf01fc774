"""Statistics of lineage: whether two models' answers to never-trained tokens go together, with exact nulls."""
