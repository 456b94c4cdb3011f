import aiohttp
import pytest

from orchestrator.sandbox import media


async def made(client, **fields):
    """The id of a finished task, and the URL of its video."""
    task_id = (await client.generate(**fields)).json["id"]
    return task_id, await client.video_url(task_id)


async def test_a_video_is_served_with_its_length_and_a_strong_etag(client):
    _, url = await made(client)
    reply = await client.ask("GET", url)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "video/mp4"
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert reply.headers["ETag"] == media.etag(reply.body)
    assert (await client.ask("GET", url)).body == reply.body


async def test_two_generations_of_one_prompt_are_two_videos(client):
    videos = [(await client.ask("GET", (await made(client))[1])).body for _ in range(2)]
    assert videos[0] != videos[1]


@pytest.mark.parametrize(
    ("model", "value", "shape"),
    [
        ("happyhorse-1-0", "9:16", "9:16"),
        ("happyhorse-1-0", "3:4", "3:4"),
        ("sora-2-pro", "portrait", "9:16"),
        ("sora-2-pro", "landscape", "16:9"),
    ],
)
async def test_a_video_has_the_shape_that_was_asked_for(client, model, value, shape):
    _, url = await made(client, model=model, params={"aspect_ratio": value})
    assert (await client.ask("GET", url)).body.startswith(media.clip(shape))


@pytest.mark.parametrize(
    ("asked", "part", "told"),
    [
        ("bytes=0-9", slice(0, 10), "bytes 0-9/{n}"),
        ("bytes=100-", slice(100, None), "bytes 100-{last}/{n}"),
        ("bytes=-5", slice(-5, None), "bytes {minus5}-{last}/{n}"),
        ("bytes=0-999999", slice(None), "bytes 0-{last}/{n}"),
    ],
)
async def test_a_range_is_answered_with_that_range(client, asked, part, told):
    _, url = await made(client)
    whole = (await client.ask("GET", url)).body
    reply = await client.ask("GET", url, headers={"Range": asked})
    n = len(whole)
    assert (reply.status, reply.body) == (206, whole[part])
    assert reply.headers["Content-Range"] == told.format(n=n, last=n - 1, minus5=n - 5)


async def test_a_range_behind_the_end_is_416(client):
    _, url = await made(client)
    assert (await client.ask("GET", url, headers={"Range": "bytes=999999-"})).status == 416


async def test_if_range_with_another_tag_gets_the_whole_object(client):
    _, url = await made(client)
    tag = (await client.ask("GET", url)).headers["ETag"]
    for if_range, status in [(tag, 206), ('"another"', 200)]:
        headers = {"Range": "bytes=5-", "If-Range": if_range}
        assert (await client.ask("GET", url, headers=headers)).status == status


async def test_a_link_without_its_signature_is_refused(client):
    _, url = await made(client)
    path, query = url.split("?")
    for wrong in (path, f"{path}?{query[:-1]}", f"{path}?Expires=1&Signature=x", f"{url}0"):
        assert (await client.ask("GET", wrong)).status == 403


async def test_a_link_of_another_task_does_not_open_this_one(client):
    (_, first), (_, second) = await made(client), await made(client)
    stolen = first.split("?")[0] + "?" + second.split("?")[1]
    assert (await client.ask("GET", stolen)).status == 403


async def test_an_object_that_is_not_there_is_404(client):
    task_id, url = await made(client)
    for wrong in (url.replace("0.mp4", "1.mp4"), url.replace(task_id, "nix")):
        assert (await client.ask("GET", wrong)).status == 404


async def test_a_key_sent_to_a_result_is_refused_and_noted_as_a_leak(client):
    _, url = await made(client)
    reply = await client.ask("GET", url, headers={"Authorization": "Bearer rvya_sk_test"})
    assert reply.status == 400
    assert len(client.sandbox.leaks) == 1
    assert "rvya_sk_test" not in repr(client.sandbox.leaks)


async def test_an_expired_link_works_again_after_the_next_poll(serving):
    async with serving(faults="[{on: download, times: 1, do: expired}]") as client:
        task_id, url = await made(client)
        assert [(await client.ask("GET", url)).status for _ in range(2)] == [403, 403]
        assert (await client.ask("GET", await client.video_url(task_id))).status == 200


async def test_a_changed_object_does_not_answer_to_its_old_tag(serving):
    async with serving(faults="[{on: download, nth: 2, do: changed}]") as client:
        _, url = await made(client)
        old = await client.ask("GET", url)
        headers = {"Range": "bytes=100-", "If-Range": old.headers["ETag"]}
        new = await client.ask("GET", url, headers=headers)
        assert new.status == 200
        assert new.body != old.body
        assert new.headers["ETag"] != old.headers["ETag"]


async def test_a_wrong_range_begins_later_than_asked(serving):
    async with serving(faults="[{on: download, do: {wrong_range: 7}}]") as client:
        _, url = await made(client)
        reply = await client.ask("GET", url, headers={"Range": "bytes=10-99"})
        assert reply.headers["Content-Range"].startswith("bytes 17-99/")
        assert len(reply.body) == 83


async def test_a_range_can_be_ignored(serving):
    async with serving(faults="[{on: download, do: ignore_range}]") as client:
        _, url = await made(client)
        assert (await client.ask("GET", url, headers={"Range": "bytes=10-"})).status == 200


async def test_a_truncated_video_lacks_frames_though_its_length_agrees(serving):
    async with serving(faults="[{on: download, do: truncated}]") as client:
        _, url = await made(client)
        reply = await client.ask("GET", url)
        assert len(reply.body) == int(reply.headers["Content-Length"])
        assert len(reply.body) < len(media.clip("16:9"))
        assert b"moov" in reply.body


async def test_a_length_can_be_too_high(serving):
    async with serving(faults="[{on: download, do: {lie: 10}}]") as client:
        _, url = await made(client)
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.ask("GET", url)


async def test_a_length_can_be_too_low(serving):
    async with serving(faults="[{on: download, nth: 1, do: {lie: -10}}]") as client:
        _, url = await made(client)
        short, whole = await client.ask("GET", url), await client.ask("GET", url)
        assert short.body == whole.body[:-10]


async def test_a_length_can_be_absent(serving):
    async with serving(faults="[{on: download, nth: 1, do: no_length}]") as client:
        _, url = await made(client)
        reply, whole = await client.ask("GET", url), await client.ask("GET", url)
        assert "Content-Length" not in reply.headers
        assert reply.body == whole.body


async def test_a_tag_can_be_absent(serving):
    async with serving(faults="[{on: download, do: no_etag}]") as client:
        _, url = await made(client)
        assert "ETag" not in (await client.ask("GET", url)).headers


async def test_a_body_can_go_on_and_on(serving):
    async with serving(faults="[{on: download, do: endless}]") as client:
        _, url = await made(client)
        async with client.session.get(url) as reply:
            assert len(await reply.content.readexactly(1_000_000)) == 1_000_000


async def test_a_video_is_as_large_as_the_faults_file_wants(serving):
    async with serving(faults="video_bytes: 65536", pace=0) as client:
        _, url = await made(client)
        assert len((await client.ask("GET", url)).body) == 65536
