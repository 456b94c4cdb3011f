from orchestrator.sandbox.actions import Fault
from orchestrator.sandbox.faults import Script, Subject, future
from orchestrator.sandbox.faults_file import parse
from orchestrator.sandbox.tasks import Outcome

LAMP = Subject("rivya", "hailuo-pro", "a lamp", "lamp")
CUP = Subject("rivya", "hailuo-pro", "a cup", "cup")


def played(text, subjects, on="poll"):
    """At which of these requests (from 1) the first rule of a faults file is played."""
    script = Script(parse(text))
    return [n for n, subject in enumerate(subjects, 1) if script.draw(on, [subject])]


def test_a_rule_without_a_count_is_played_on_every_request_that_fits():
    assert played("[{on: poll, do: html}]", [LAMP] * 3) == [1, 2, 3]
    assert played("[{on: poll, do: html}]", [LAMP] * 3, on="create") == []


def test_a_rule_fits_by_provider_model_and_a_part_of_the_prompt():
    other = Subject("acedatacloud", "minimax-t2v", "a lamp", "x")
    subjects = [LAMP, CUP, other, Subject("rivya")]
    assert played("[{on: poll, provider: rivya, do: html}]", subjects) == [1, 2, 4]
    assert played("[{on: poll, model: minimax-t2v, do: html}]", subjects) == [3]
    assert played("[{on: poll, match: lamp, do: html}]", subjects) == [1, 3]


def test_a_count_counts_only_what_fits():
    subjects = [CUP, LAMP, CUP, LAMP, LAMP]
    assert played("[{on: poll, match: lamp, nth: 2, do: html}]", subjects) == [4]


def test_nth_times_every_and_after():
    assert played("[{on: poll, nth: [2, 4], do: html}]", [LAMP] * 6) == [2, 4]
    assert played("[{on: poll, times: 2, do: html}]", [LAMP] * 6) == [1, 2]
    assert played("[{on: poll, every: 3, do: html}]", [LAMP] * 6) == [3, 6]
    assert played("[{on: poll, after: 4, do: html}]", [LAMP] * 6) == [5, 6]
    assert played("[{on: poll, after: 2, times: 2, do: html}]", [LAMP] * 6) == [3, 4]


def test_per_task_counts_each_task_for_itself():
    subjects = [LAMP, CUP, LAMP, CUP]
    assert played("[{on: poll, per: task, times: 1, do: html}]", subjects) == [1, 2]


def test_chance_is_drawn_from_the_seed():
    rule = "{on: poll, chance: 0.3, do: html}"
    first = played(f"faults: [{rule}]", [LAMP] * 1000)
    assert 240 < len(first) < 360
    assert first == played(f"faults: [{rule}]", [LAMP] * 1000)
    assert first != played(f"{{seed: 1, faults: [{rule}]}}", [LAMP] * 1000)


def test_the_extremes_of_chance_are_never_and_always():
    assert played("[{on: poll, chance: 0, do: html}]", [LAMP] * 100) == []
    assert len(played("[{on: poll, chance: 1, do: html}]", [LAMP] * 100)) == 100


def test_the_first_rule_that_applies_is_played():
    script = Script(parse("[{on: poll, nth: 2, do: html}, {on: poll, do: empty}]"))
    assert [script.draw("poll", [LAMP]).action for _ in range(3)] == ["empty", "html", "empty"]


def test_a_request_about_several_tasks_fits_by_any_of_them():
    script = Script(parse("[{on: poll, match: lamp, do: html}]"))
    assert script.draw("poll", [CUP, LAMP]) == Fault("html")
    assert script.draw("poll", [CUP, CUP]) is None


def test_all_rules_for_a_task_add_up_and_the_first_wins_where_they_differ():
    script = Script(
        parse(
            "[{on: task, do: {urls: 2}}, {on: task, do: {urls: 3}}, {on: task, do: {credits: 9}}]"
        )
    )
    assert future("rivya", script.draw_all(LAMP)).outcome == Outcome(urls=2, final=9)
    assert script.draw("poll", [LAMP]) is None
