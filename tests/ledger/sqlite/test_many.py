"""Many rows in few statements: the same rows as one by one."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ledger.sqlite.many import MOST_ROWS, insert_many, update_many

values = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text()
)


def table() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE things (a, b, n INTEGER, PRIMARY KEY (n))")
    return connection


@given(st.lists(st.tuples(values, values), max_size=3 * MOST_ROWS))
def test_rows_arrive_whole_and_in_order(rows: list[tuple[object, object]]) -> None:
    connection = table()
    numbered = [(a, b, n) for n, (a, b) in enumerate(rows)]
    insert_many(connection, "things", ("a", "b", "n"), numbered)
    found = connection.execute("SELECT a, b, n FROM things ORDER BY rowid").fetchall()
    connection.close()
    assert found == numbered


@given(st.dictionaries(st.integers(0, 200), values, max_size=100))
def test_an_update_changes_its_rows_and_no_others(changes: dict[int, object]) -> None:
    connection = table()
    insert_many(connection, "things", ("a", "b", "n"), [("old", "b", n) for n in range(200)])
    update_many(connection, "things", ("a",), ("n",), [(value, n) for n, value in changes.items()])
    found = dict(connection.execute("SELECT n, a FROM things").fetchall())
    connection.close()
    assert found == {n: changes.get(n, "old") for n in range(200)}


def test_hundreds_of_rows_take_few_statements() -> None:
    connection = table()
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    insert_many(connection, "things", ("n",), [(n,) for n in range(10 * MOST_ROWS + 5)])
    connection.close()
    assert len(statements) == 12
