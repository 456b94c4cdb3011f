from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from orchestrator.catalog.spec import Param
from orchestrator.catalog.tables import shipped
from orchestrator.jobs import JobSpec
from orchestrator.plan.fingerprint import make_job
from orchestrator.providers.acedatacloud import AceDataCloud
from orchestrator.providers.base import PollTrouble, TaskView, Upload, WireReference
from tests.providers.case_files import assert_is, cases, reply, said

ACE = AceDataCloud()
VIDEO = "https://cdn.example.com/a.mp4"
DONE = {
    "id": "a",
    "response": {"success": True, "data": [{"state": "succeeded", "video_url": VIDEO}]},
}
FAILED = {"id": "b", "response": {"success": False, "error": {"code": "api_error"}}}
PENDING = {"id": "c"}


def create(model, references=()):
    facts = shipped().models[f"acedatacloud/{model}"]
    spec = JobSpec("cup", "cup", "{}", "acedatacloud", model, "A cup", {})
    return ACE.create(make_job(spec, facts, 0, None), facts, references, "key-1")


@pytest.mark.parametrize("case", cases("acedatacloud.yaml", "create"))
def test_a_create_reply_means(case):
    assert_is(ACE.read_create(reply(case)), case["is"])


@pytest.mark.parametrize("case", cases("acedatacloud.yaml", "poll"))
def test_a_task_as_told_means(case):
    told = ACE.read_poll(["t-1"], reply(case))
    assert not isinstance(told, PollTrouble), told
    assert_is(told["t-1"], case["is"])


@pytest.mark.parametrize("case", cases("acedatacloud.yaml", "trouble"))
def test_a_poll_that_tells_nothing_means(case):
    assert_is(ACE.read_poll(["t-1", "t-2"], reply(case)), case["is"])


def test_a_create_is_one_post_that_asks_for_the_asynchronous_form():
    request = create("minimax-t2v")
    assert (request.method, request.path) == ("POST", "/hailuo/videos")
    assert json.loads(request.body) == {
        "action": "generate",
        "model": "minimax-t2v",
        "prompt": "A cup",
        "async": True,
    }


def test_no_parameter_replaces_what_the_create_itself_says():
    shown = shipped().models["acedatacloud/minimax-t2v"]
    told = {"action": "edit", "model": "dear", "prompt": "No", "async": "no", "style": "warm"}
    params = [Param(name, "text", False, None, None, None, None, None, "x") for name in told]
    facts = dataclasses.replace(shown, params=tuple(params))
    spec = JobSpec("cup", "cup", "{}", "acedatacloud", "minimax-t2v", "A cup", told)
    body = json.loads(ACE.create(make_job(spec, facts, 0, None), facts, (), "key-1").body)
    own = json.loads(create("minimax-t2v").body)
    assert body == {**own, "style": "warm"}
    assert own.keys() <= ACE.own_fields


def test_no_key_is_sent_and_none_is_honoured():
    assert not ACE.honours_key
    assert not [name for name in create("minimax-t2v").headers if "key" in name.lower()]


@pytest.mark.parametrize("model", ["minimax-i2v", "minimax-i2v-director"])
def test_an_image_goes_into_its_own_field(model):
    reference = WireReference("https://cdn.example.com/i.jpg?sig=1", "image", "i.jpg")
    body = json.loads(create(model, [reference]).body)
    assert body["first_image_url"] == "https://cdn.example.com/i.jpg?sig=1"
    assert body["model"] == model


def test_a_resend_has_the_same_bytes():
    first = create("minimax-t2v")
    assert ACE.resend(first.body, "another-key") == first


def test_one_task_is_retrieved_and_several_in_a_batch():
    assert json.loads(ACE.poll(["a"]).body) == {"id": "a"}
    request = ACE.poll(["a", "b"])
    assert (request.method, request.path) == ("POST", "/hailuo/tasks")
    assert json.loads(request.body) == {"ids": ["a", "b"], "action": "retrieve_batch"}
    assert ACE.poll_batch == 50


@pytest.mark.parametrize("items", list(itertools.permutations([DONE, FAILED, PENDING])))
def test_a_batch_is_read_in_any_order(items):
    views = ACE.read_poll(["c", "a", "b"], said(200, {"items": items, "count": 3}))
    assert {task: view.status for task, view in views.items()} == {
        "a": "succeeded",
        "b": "failed",
        "c": "open",
    }


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_ids_that_a_batch_leaves_out_are_missing_and_no_failures(kept):
    views = ACE.read_poll(["a", "b", "c"], said(200, {"items": [DONE, FAILED][:kept]}))
    left_out = ["a", "b", "c"][kept:]
    assert {task: views[task] for task in left_out} == dict.fromkeys(left_out, TaskView("missing"))


def test_a_batch_tells_nothing_of_tasks_that_were_not_asked_for():
    views = ACE.read_poll(["a", "z"], said(200, {"items": [DONE, FAILED, {}, None, 7, "b", []]}))
    assert {task: view.status for task, view in views.items()} == {"a": "succeeded", "z": "missing"}


def test_an_unnamed_task_in_a_batch_of_several_is_nobodys():
    views = ACE.read_poll(["a", "b"], said(200, {"items": [{"response": FAILED["response"]}]}))
    assert {view.status for view in views.values()} == {"missing"}


def test_a_video_beside_a_failed_one_was_made():
    data = [{"state": "failed"}, {"state": "succeeded", "video_url": VIDEO}]
    answer = {"id": "a", "response": {"success": True, "data": data}}
    assert ACE.read_poll(["a"], said(200, answer))["a"] == TaskView("succeeded", (VIDEO,))


def test_there_is_no_files_api_and_no_balance():
    model = shipped().models["acedatacloud/minimax-i2v"]
    with pytest.raises(NotImplementedError):
        ACE.upload(Upload("/a.png", "image/png", "a.png", {}), "image", model)
    with pytest.raises(NotImplementedError):
        ACE.read_upload(said(200, {"url": "https://f.example.com/a.png"}))
    assert ACE.balance() is None
