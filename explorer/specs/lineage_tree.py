"""The tree of a lineage's models, as lines of text and in Newick's format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from explorer.base.records.lineage import LineagePair
from explorer.base.records.lineage_tree import LineageTree, TreeJoint
from explorer.base.records.plain import to_plain
from explorer.specs.blocks import Block, Table, number, prose
from explorer.specs.command_line import Row

_GAP = "\N{NO-BREAK SPACE}"
Node = TreeJoint | str
"""A joint, or the name of a model."""


def tree_blocks(tree: LineageTree | None) -> Iterable[Block]:
    """A line for each joint and model; dotted where strangers are as near."""
    if tree is None:
        return
    heads = ("tree", "r", "support", "")
    title = f"tree of the models by {tree.tokens} tokens; joints with r up to {number(tree.floor, 2)} are drawn dotted"
    strong = frozenset(
        place for place, (node, _) in enumerate(_lines(tree)) if not isinstance(node, str) and not node.by_chance
    )
    rows = tuple(_row(node, text) for node, text in _lines(tree))
    yield Table(heads, rows, right=frozenset({"r", "support"}), strong=strong, title=title)


def newick(tree: LineageTree) -> str:
    """The tree in Newick's format: lengths are half of 1 - r, a joint's label is its support."""
    return f"{_newick(tree.joints[-1], tree, None)};"


def joint_of(tree: LineageTree | None, pair: LineagePair) -> Row | None:
    """The smallest joint with both models of a pair."""
    if tree is None:
        return None
    both = {pair.child, pair.candidate}
    return next((to_plain(joint) for joint in tree.joints if both <= set(joint.models)), None)


def _row(node: Node, text: str) -> tuple[str, str, str, str]:
    if isinstance(node, str):
        return text, "", "", ""
    return text, number(node.r, 2), f"{node.support:.0%}", "no nearer than strangers" if node.by_chance else ""


def _lines(tree: LineageTree) -> Iterator[tuple[Node, str]]:
    yield tree.joints[-1], _elbow(tree.joints[-1])
    yield from _below(tree.joints[-1], tree, "")


def _below(joint: TreeJoint, tree: LineageTree, stem: str) -> Iterator[tuple[Node, str]]:
    """The two sides of a joint."""
    dash, bar = ("┄", "┆") if joint.by_chance else ("─", "│")
    sides = _sides(joint, tree)
    for place, node in enumerate(sides):
        last = place == len(sides) - 1
        start = f"{stem}{'└' if last else '├'}{dash}"
        if isinstance(node, str):
            yield node, f"{start}{_GAP}{prose(node)}"
        else:
            yield node, f"{start}{_elbow(node)}"
            yield from _below(node, tree, stem + (_GAP * 2 if last else bar + _GAP))


def _elbow(joint: TreeJoint) -> str:
    return "┐"


def _sides(joint: TreeJoint, tree: LineageTree) -> list[Node]:
    """The largest joints inside of it, and the models in none of these."""
    inside: list[Node] = []
    rest = list(joint.models)
    for other in sorted(tree.joints, key=lambda each: -len(each.models)):
        if set(other.models) < set(joint.models) and set(other.models) <= set(rest):
            inside.append(other)
            rest = [name for name in rest if name not in other.models]
    return [*inside, *rest]


def _newick(node: Node, tree: LineageTree, above: float | None) -> str:
    height = 0.0 if isinstance(node, str) else (1 - node.r) / 2
    length = "" if above is None else f":{max(0.0, above - height):.4f}"
    if isinstance(node, str):
        return _quote(node) + length
    inner: Sequence[str] = [_newick(each, tree, height) for each in _sides(node, tree)]
    return f"({','.join(inner)}){node.support * 100:.0f}{length}"


def _quote(name: str) -> str:
    return "'" + prose(name).replace("'", "''") + "'"
