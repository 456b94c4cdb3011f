from io import BytesIO

import aiohttp
import pytest

from orchestrator.sandbox import media

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
LARGE = PNG + bytes(11_000_000)
MP4 = media.clip("16:9")


def form(content=PNG, filename="a.png", **fields):
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        data.add_field(name, value)
    if content is not None:
        data.add_field("file", BytesIO(content), filename=filename)
    return data


async def upload(client, *args, **fields):
    return await client.rivya("POST", "/files", data=form(*args, **fields))


async def test_an_image_comes_back_from_its_url(client):
    reply = await upload(client, kind="image", model="hailuo-pro")
    assert reply.status == 201
    assert "duration_token" not in reply.json
    again = await client.rivya("GET", f"/files/{reply.json['id']}")
    assert again.json == reply.json
    served = await client.ask("GET", reply.json["url"])
    assert (served.body, served.headers["Content-Type"]) == (PNG, "image/png")


async def test_a_video_brings_its_duration_and_a_token_that_creates_need(client):
    uploaded = (await upload(client, MP4, "a.mp4", kind="video", model="happyhorse-1-0")).json
    assert uploaded["duration_seconds"] == 2.0
    item = {"url": uploaded["url"], "kind": "video"}
    without = await client.generate(model="happyhorse-1-0", params={"referenceMediaItems": [item]})
    assert "durationToken" in without.json["error"]["message"]
    item["durationToken"] = uploaded["duration_token"]
    accepted = await client.generate(model="happyhorse-1-0", params={"referenceMediaItems": [item]})
    assert accepted.status == 201


async def test_a_foreign_url_of_the_same_path_is_another_file(client):
    uploaded = (await upload(client, MP4, "a.mp4", kind="video", model="happyhorse-1-0")).json
    url = "https://cdn.example.com/cdn" + uploaded["url"].partition("/cdn")[2]
    items = [{"url": url, "kind": "video"}]
    reply = await client.generate(model="happyhorse-1-0", params={"referenceMediaItems": items})
    assert reply.status == 201


async def test_the_same_upload_again_is_the_same_file(client):
    first = await upload(client, kind="image")
    again = await upload(client, kind="image")
    assert first.json["url"] == again.json["url"]


@pytest.mark.parametrize(
    ("fields", "content", "named"),
    [
        ({}, PNG, "kind"),
        ({"kind": "text"}, PNG, "kind"),
        ({"kind": "image"}, None, "file"),
        ({"kind": "image"}, MP4, "video/mp4"),
        ({"kind": "image"}, b"<html>", "unknown"),
        ({"kind": "image", "model": "hailuo-pro"}, LARGE, "limit"),
        ({"kind": "image", "model": "nix"}, PNG, "model"),
        ({"kind": "video", "model": "hailuo-pro"}, MP4, "takes no video"),
        ({"kind": "video", "model": "happyhorse-1-0"}, b"\x1a\x45\xdf\xa3", "video/webm"),
        ({"kind": "image", "client_request_id": "x" * 129}, PNG, "client_request_id"),
        ({"kind": "image", "colour": "red"}, PNG, "colour"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
async def test_a_wrong_upload_is_refused_with_the_reason(client, fields, content, named):
    reply = await upload(client, content, **fields)
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_failed")
    assert named in reply.json["error"]["message"]


async def test_an_upload_that_is_no_form_is_refused(client):
    reply = await client.rivya("POST", "/files", json={"kind": "image"})
    assert reply.json["error"]["message"].startswith("body")


async def test_a_form_without_a_boundary_is_refused(client):
    headers = {"Content-Type": "multipart/form-data"}
    reply = await client.rivya("POST", "/files", data=b"x", headers=headers)
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_failed")


async def test_a_key_sent_to_an_uploaded_file_is_noted_as_a_leak(client):
    url = (await upload(client, kind="image")).json["url"]
    reply = await client.ask("GET", url, headers={"Authorization": "Bearer x"})
    assert reply.status == 400
    assert len(client.sandbox.leaks) == 1


async def test_uploaded_files_outlive_the_sandbox_and_its_port(serving, tmp_path):
    async with serving(tmp_path) as client:
        url = (await upload(client, kind="image")).json["url"]
    async with serving(tmp_path) as client:
        assert url.split("/cdn")[0] not in client.urls["rivya"]
        items = [{"url": url, "kind": "image"}]
        reply = await client.generate(params={"referenceMediaItems": items})
        assert reply.status == 201
