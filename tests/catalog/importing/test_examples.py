from orchestrator.catalog.importing.examples import find_examples
from orchestrator.catalog.importing.page import open_page


def examples(*lines):
    return find_examples(open_page("\n".join(lines).encode()))


def test_requests_and_replies_are_told_apart_and_nothing_else_counts():
    found = examples(
        "text {",
        '{"model": "m", "prompt": "p",',
        '"params": {"a": "1", "referenceMediaItems": [{"url": "u"}]}}heading',
        '{"id": "t", "model": "m", "reserved_credits": 5}',
        '{"error": {"code": "x"}}',
    )
    (request,) = found.requests
    assert (request.line, request.model, request.params) == (2, "m", {"a": "1"})
    assert request.references
    (reply,) = found.replies
    assert (reply.line, reply.model, reply.reserved_credits) == (4, "m", 5)
    assert found.lines == {2, 3, 4, 5}
    assert found.values("a") == [(2, "1")]


def test_an_example_that_is_cut_off_or_repeats_a_key_is_no_witness():
    found = examples(
        '{"model": "m", "params": {"a": 1}', '{"model": "m", "model": "n", "params": {}}'
    )
    assert (found.requests, found.replies) == ((), ())


def test_what_a_reply_has_of_another_type_is_not_told():
    (reply,) = examples('{"model": 1, "reserved_credits": true}').replies
    assert (reply.model, reply.reserved_credits) == (None, None)


def test_endless_nesting_does_not_exhaust_the_stack():
    assert examples('{"a":' * 20_000).requests == ()


def test_what_an_example_names_counts_also_where_its_beginning_or_end_is_lost():
    found = examples(
        '"prompt": "p", "params": {"a": "1",',
        '"referenceMediaItems": [{"url": "u"}], "b": 2}',
        '{"model": "m", "params": {"c": {"deep": [1, 2]},',
        '  "d": "cut he',
    )
    assert found.requests == ()
    assert found.named == {"a": 1, "b": 2, "c": 3, "d": 4}
