"""A worked example of a glitch-explore plug-in. `docs/plugins.md` goes through it file by file."""
