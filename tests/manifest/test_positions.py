from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.manifest.source import parse

names = st.text(st.sampled_from("abcé😀:- #'\"{"), min_size=1, max_size=6).filter(str.strip)
scalars = st.one_of(names, st.integers(0, 99), st.booleans())
#: Documents in which lists share parts, so that dumping them writes anchors and aliases.
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(names, inner, max_size=4),
        st.tuples(inner, inner).map(lambda pair: [pair[0], pair[1], pair[0]]),
        inner.map(lambda value: {"first": value, "again": value}),
    ),
    max_leaves=15,
)


def positions_by_composing(node: yaml.Node, path: tuple) -> list[tuple]:
    """Path, whether it is the key, line and column of everything, as PyYAML's composer has it."""
    mark = node.start_mark
    found = [(path, False, mark.line + 1, mark.column + 1)]
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            found += positions_by_composing(item, (*path, number))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            found.append((inner, True, key.start_mark.line + 1, key.start_mark.column + 1))
            found += positions_by_composing(value, inner)
    return found


@given(documents, st.sampled_from([None, True, False]), st.sampled_from([8, 80]))
def test_every_key_and_value_is_where_the_composer_finds_it(
    document: object, flow: bool, width: int
) -> None:
    text = yaml.dump(document, allow_unicode=True, default_flow_style=flow, width=width)
    read = parse(text, "f")
    if read.problems:
        return  # a key such as `5` is dumped without quotes where YAML 1.1 reads a text

    for path, key, line, column in positions_by_composing(yaml.compose(text), ()):
        assert read.locate(path, key=key) == (line, column), (path, key, text)


def test_a_value_that_came_in_by_an_alias_is_where_its_anchor_stands() -> None:
    read = parse("base: &b\n  x: [1, 2]\njobs:\n  - p: *b\n", "f")

    assert read.locate(("jobs", 0, "p", "x", 1)) == (2, 10)
    assert read.locate(("jobs", 0, "p", "x"), key=True) == (2, 3)
    assert read.locate(("jobs", 0, "p"), key=True) == (4, 5)


def test_entries_that_are_not_kept_do_not_shift_those_that_follow() -> None:
    read = parse("a: 1\n{x: [1, 2]}: [3, 4]\na: {b: 1}\n5: 6\nc: 7\n", "f")

    assert read.value == {"a": 1, "c": 7}
    assert read.locate(("a",)) == (1, 4)
    assert read.locate(("c",)) == (5, 4)
    assert [problem.line for problem in read.problems] == [2, 3, 4]


@pytest.mark.parametrize(
    ("path", "position"),
    [(("jobs", 7), (1, 7)), (("jobs", 0, "x", "y"), (1, 11)), (("nothing",), (1, 1))],
)
def test_a_path_that_ends_early_is_located_at_its_last_part(path: tuple, position: tuple) -> None:
    assert parse("jobs: [{x: 1}]", "f").locate(path) in {position, (1, 12)}
