"""Published facts about real models, shipped with the program."""
