"""What is held of models in memory: the latest, and nothing of a model that was unloaded."""

from __future__ import annotations

from explorer.engine.answers.latest import Latest


def test_the_one_held_longest_ago_is_given_up_and_holding_again_counts() -> None:
    latest: Latest[tuple[str, int], str] = Latest(2)
    latest.hold(("a", 1), "first")
    latest.hold(("b", 1), "second")
    latest.hold(("a", 1), "first again")
    latest.hold(("c", 1), "third")
    assert [latest.get((name, 1)) for name in "abc"] == ["first again", None, "third"]


def test_a_model_is_forgotten_whole_and_one_thing_is_dropped_alone() -> None:
    latest: Latest[tuple[str, int], int] = Latest(9)
    for name, number in (("a", 1), ("a", 2), ("b", 1), ("b", 2)):
        latest.hold((name, number), number)
    latest.forget("a")
    latest.drop(("b", 1))
    latest.drop(("b", 1))  # a second time does nothing
    assert [latest.get((name, number)) for name in "ab" for number in (1, 2)] == [None, None, None, 2]
