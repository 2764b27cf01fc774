"""What the screen's process must not contain, and who may import whom."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

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
        "print({'numpy', 'textual', 'shtab'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def named_in_layers() -> Iterator[str]:
    """Every module that a contract of layers names."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        for layer in contract.get("layers", ()):
            yield from (name.strip() for name in layer.replace(":", "|").split("|"))


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """What imports what at run time."""
    return grimp.build_graph("explorer", exclude_type_checking_imports=True, cache_dir=None)


def test_every_module_has_its_layer(imports: grimp.ImportGraph) -> None:
    layers = set(named_in_layers())
    assert layers <= imports.modules
    for module in sorted(imports.modules):
        above = {module.rsplit(".", dots)[0] for dots in range(module.count(".") + 1)}
        # A package that only holds others, and imports nothing, needs none.
        assert above & layers or not imports.find_modules_directly_imported_by(module), f"{module} is in no layer"


def test_no_import_goes_round_in_a_circle(imports: grimp.ImportGraph) -> None:
    graph = {module: imports.find_modules_directly_imported_by(module) for module in imports.modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
