"""What a call may spend: the question before it, and `--max-credits`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.cli.caps import ask_before_spending, call_caps, spending, uncapped_jobs
from orchestrator.errors import UsageError
from orchestrator.manifest.check import load
from orchestrator.plan.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.plan.plan import Plan

HEAD = "version: 1\ncampaign: spring\ndefaults: {prompt: a bottle}\n"
RIVYA = "  - {id: a, model: hailuo-pro, takes: 20}\n"
ACEDATACLOUD = "  - {id: b, model: minimax-t2v, takes: 3}\n"
PRICED = "prices: {acedatacloud: 0.9}\n"


def plan_of(folder: Path, jobs: str, head: str = "") -> Plan:
    path = folder / "spring.yaml"
    path.write_text(f"{HEAD}{head}jobs:\n{jobs}")
    return make_plan(load(path, shipped()), shipped())


@pytest.mark.parametrize(
    ("jobs", "head", "words"),
    [
        (RIVYA, "", "Say --yes, or --max-credits 1140."),
        (ACEDATACLOUD, "", "Say --yes."),
        (RIVYA + ACEDATACLOUD, "", "Say --yes."),
        (
            RIVYA + ACEDATACLOUD,
            PRICED,
            "Say --yes, or --max-credits acedatacloud=2.7 --max-credits rivya=1140.",
        ),
    ],
)
def test_off_a_terminal_the_options_that_let_it_run_are_given_with_true_numbers(
    tmp_path: Path, jobs: str, head: str, words: str
) -> None:
    plan = plan_of(tmp_path, jobs, head)
    with pytest.raises(UsageError) as error:
        ask_before_spending(plan)
    assert str(error.value) == f"{spending(plan)} {words} Nothing was sent."
    offered = [word for word in shlex.split(words.rstrip(".")) if word[-1].isdigit()]
    assert len(call_caps(offered, plan)) == len(offered), "what is offered is not refused"


def test_what_a_run_is_about_to_spend_is_said_by_provider(tmp_path: Path) -> None:
    assert spending(plan_of(tmp_path, RIVYA + ACEDATACLOUD)) == (
        "This run creates 23 videos: 3 jobs of unknown price at acedatacloud, "
        "about 1,140 credits at rivya."
    )
    one = ACEDATACLOUD.replace("3", "1")
    assert spending(plan_of(tmp_path, one)) == (
        "This run creates 1 video: 1 job of unknown price at acedatacloud."
    )


def test_what_stated_caps_do_not_cover_is_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, RIVYA + ACEDATACLOUD)
    assert uncapped_jobs(plan, {"rivya": 5.0}) == [
        "acedatacloud has no cap: 3 jobs may be sent there"
    ]
    assert uncapped_jobs(plan, {}) == []
    assert uncapped_jobs(plan, {"rivya": 5.0, "acedatacloud": 1.0}) == []


def test_a_bare_cap_is_for_one_provider(tmp_path: Path) -> None:
    assert call_caps(["5"], plan_of(tmp_path, RIVYA)) == {"rivya": 5.0}
    with pytest.raises(UsageError, match="write --max-credits acedatacloud=5 for each"):
        call_caps(["5"], plan_of(tmp_path, RIVYA + ACEDATACLOUD))


@pytest.mark.parametrize("text", ["", "much", "rivya=", "rivya=-1", "nan", "inf", "other=5"])
def test_a_cap_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=f"--max-credits {text}"):
        call_caps([text], plan_of(tmp_path, RIVYA))
