"""`models check`: what it says of a list, and what it ends with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from orchestrator.providers.transport import BODY_CAP
from tests.cli.model_service import HAILUO, HAPPYHORSE, KEY, SAME, lines, listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

pytestmark = pytest.mark.usefixtures("films")


def test_tables_that_agree_exit_0(ask: Callable[..., Any]) -> None:
    outcome = ask(SAME, "models", "check")
    assert outcome.code == 0
    assert lines(outcome.out) == [
        "MODEL RESULT FOUND",
        "rivya/hailuo-pro same",
        "rivya/happyhorse-1-0 same",
        "rivya/sora-2-pro same",
    ]
    assert outcome.err.splitlines() == [
        "3 tables compared with rivya's list: none differs.",
        "note: acedatacloud has no list of its models: its tables are not checked.",
    ]


async def test_the_list_is_asked_for_once_with_the_key(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listing(monkeypatch, SAME) as came:
        outcome = await anyio.to_thread.run_sync(lambda: orchestrate("models", "check"))
    ((method, path, key),) = [(r.method, r.path, r.headers["Authorization"]) for r in came]
    assert (method, path, key) == ("GET", "/api/v1/models", f"Bearer {KEY}")
    assert "secret" not in outcome.out + outcome.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("form", [[], ["--json"]])
async def test_a_result_that_finds_no_room_is_an_error_of_the_disk(
    monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    command = [sys.executable, "-m", "orchestrator", "models", "check", *form]
    with Path("/dev/full").open("w") as full:  # noqa: ASYNC230 - nothing waits for it
        async with listing(monkeypatch, SAME):
            ended = await anyio.run_process(command, stdout=full, check=False)
    assert ended.returncode == 7
    assert b"defect" not in ended.stderr


def test_what_differs_is_told_model_by_model_and_exits_1(ask: Callable[..., Any]) -> None:
    changed = [
        {**HAILUO, "base_credits": 60, "max_prompt_length": 1000},
        {**HAPPYHORSE, "api_status": "studio_only", "supported_modes": ["text"]},
        {"id": "veo-4", "api_status": "coming_soon"},
    ]
    outcome = ask({"data": changed}, "models", "check")
    assert outcome.code == 1
    assert lines(outcome.out) == [
        "MODEL RESULT FOUND",
        "rivya/hailuo-pro differs price: 60 now, 57 in the table",
        "differs prompt limit: 1,000 now, 1,500 in the table",
        "rivya/happyhorse-1-0 differs availability: studio_only now, available in the table",
        "differs modes: text now, text, image, video in the table",
        "rivya/sora-2-pro gone the list does not have it",
        "rivya/veo-4 new listed without a table here, coming_soon",
    ]
    assert "3 tables compared with rivya's list: 3 differ.\n" in outcome.err
    assert outcome.err.splitlines()[-3:] == [
        "To put rivya/hailuo-pro, rivya/happyhorse-1-0 right, edit a table of your own in models/:",
        "  orchestrator models show rivya/hailuo-pro --yaml > models/hailuo-pro.yaml",
        "  orchestrator models show rivya/happyhorse-1-0 --yaml > models/happyhorse-1-0.yaml",
    ]


def test_the_json_document_has_it_all(ask: Callable[..., Any]) -> None:
    strange = {**HAPPYHORSE, "base_credits": {"text": 28, "image": 30}}
    body = {"data": [{**HAILUO, "base_credits": 60}, strange, {"id": "veo-4"}]}
    outcome = ask(body, "models", "check", "--json")
    document = outcome.document
    (asked,) = document.pop("asked")
    assert (asked["provider"], asked["origin"]) == ("rivya", "http://127.0.0.1")
    assert asked["at"].endswith("Z")
    assert document == {
        "schema_version": 1,
        "differs": True,
        "models": [
            {
                "model": "rivya/hailuo-pro",
                "found": "differs",
                "differences": [{"field": "price", "table": 57, "listed": 60}],
                "unread": [],
            },
            {
                "model": "rivya/happyhorse-1-0",
                "found": "unread",
                "differences": [],
                "unread": [{"field": "price", "reason": "`base_credits` is no amount of credits"}],
            },
            {"model": "rivya/sora-2-pro", "found": "gone", "differences": [], "unread": []},
        ],
        "without_table": [{"model": "rivya/veo-4", "availability": None}],
        "without_list": ["acedatacloud"],
    }


def test_what_is_new_or_not_told_is_said_and_is_no_difference(
    ask: Callable[..., Any],
) -> None:
    bare = [{"id": model["id"]} for model in SAME["data"]]
    outcome = ask([*bare, {"id": "veo-4"}], "models", "check")
    assert outcome.code == 0
    assert lines(outcome.out)[1] == (
        "rivya/hailuo-pro not read price, billing, prompt limit, availability, modes, references: "
        "the list does not tell"
    )
    assert lines(outcome.out)[-1] == "rivya/veo-4 new listed without a table here"


def test_a_list_that_goes_on_elsewhere_calls_no_model_gone(ask: Callable[..., Any]) -> None:
    outcome = ask({"data": [HAILUO], "has_more": True}, "models", "check")
    assert outcome.code == 0
    assert "gone" not in outcome.out
    assert "but it goes on elsewhere" in outcome.out


def test_own_tables_are_checked_too(ask: Callable[..., Any], films: Path) -> None:
    table = films / "tables" / "veo.yaml"
    table.parent.mkdir()
    table.write_text(
        "{provider: rivya, model: veo-4, title: Veo, source: A page, read: 2026-05, "
        "price: 90, unit: credits}\n"
    )
    body = {"data": [*SAME["data"], {"id": "veo-4", "base_credits": 95}]}
    outcome = ask(body, "models", "check", "--models", "tables")
    assert "rivya/veo-4 differs price: 95 now, 90 in the table" in lines(outcome.out)
    assert outcome.err.endswith("To put rivya/veo-4 right, edit tables/veo.yaml.\n")


def test_where_models_are_gone_there_is_nothing_to_put_right(ask: Callable[..., Any]) -> None:
    outcome = ask({"data": SAME["data"][1:]}, "models", "check")
    assert outcome.code == 1
    assert "put" not in outcome.err


@pytest.mark.parametrize(
    ("body", "status", "code", "text"),
    [
        ({"error": {"code": "api_key_invalid", "message": "No"}}, 401, 6,
         "rivya refuses RIVYA_API_KEY: No (api_key_invalid). Check the key."),
        ({"error": {"code": "api_scope_denied", "message": "No"}}, 403, 6, "api_scope_denied"),
        ({"error": {"code": "public_api_disabled", "message": "Later"}}, 503, 2,
         "rivya tells no list of its models: Later (public_api_disabled). Try again later."),
        ("<html>", 200, 2, "the reply holds no list of models (unreadable)"),
        ({"data": []}, 200, 2, "the list of models is empty"),
        ("x" * (BODY_CAP + 1), 200, 2, "rivya could not be asked for its models: the reply is"),
    ],
)  # fmt: skip
def test_without_a_list_nothing_is_said_to_differ_and_nothing_is_kept(
    ask: Callable[..., Any], films: Path, body: Any, status: int, code: int, text: str
) -> None:
    outcome = ask(body, "models", "check", "--json", status=status)
    assert (outcome.code, outcome.out) == (code, "")
    assert text in outcome.err
    assert not (films.parent / "state").exists()


async def test_without_a_key_the_list_is_asked_for_without_one_and_kept(
    orchestrate: Callable[..., Outcome], films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIVYA_API_KEY")
    async with listing(monkeypatch, SAME) as came:
        outcome = await anyio.to_thread.run_sync(lambda: orchestrate("models", "check"))
    assert outcome.code == 0
    (request,) = came
    assert "Authorization" not in request.headers
    assert len(list((films.parent / "state" / "orchestrator").iterdir())) == 1


def test_a_list_that_takes_a_key_says_which(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIVYA_API_KEY")
    refusal = {"error": {"code": "api_key_missing", "message": "No"}}
    outcome = ask(refusal, "models", "check", status=401)
    assert outcome.code == 6
    assert "nobody without a key: No (api_key_missing). Set RIVYA_API_KEY." in outcome.err


def test_a_service_that_is_not_there_is_told_and_no_odd_key_is_sent(
    orchestrate: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVYA_BASE_URL", "http://127.0.0.1:9")
    outcome = orchestrate("models", "check")
    assert outcome.code == 2
    assert "cannot connect to http://127.0.0.1:9: connection refused" in outcome.err
    monkeypatch.setenv("RIVYA_API_KEY", "sk bad")
    outcome = orchestrate("models", "check")
    assert (outcome.code, "Nothing was sent." in outcome.err) == (6, True)


def test_a_disk_that_refuses_the_list_is_a_warning(ask: Callable[..., Any], films: Path) -> None:
    (films.parent / "state").write_text("")
    outcome = ask(SAME, "models", "check")
    assert outcome.code == 0
    assert "warning: the list cannot be kept in" in outcome.err
