"""What the screen's process must not contain."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "transformer_lens", "scipy", "sklearn", "sentence_transformers", "pandas", "plotext")


@pytest.mark.parametrize(
    "modules",
    [
        ("explorer.tui.live.app", "explorer.sessions.file.store", "explorer.specs.registry"),
        ("explorer.cli", "explorer.headless.run", "explorer.pipe.client"),
    ],
)
def test_the_front_ends_import_no_heavy_library(modules: tuple[str, ...]) -> None:
    program = f"import json, sys, {', '.join(modules)}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "explorer.base.records.record" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_explorer_does_not_wait_for_numpy_to_parse_its_arguments() -> None:
    program = (
        "import sys; import explorer.cli\n"
        "try: explorer.cli.main(['--version'])\n"
        "except SystemExit: pass\n"
        "print('numpy' in sys.modules, 'textual' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
