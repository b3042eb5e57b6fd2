from typing import Any

import pytest

from sandbox.media import made_up_picture
from tests.sandbox.max.conftest import Opens
from tests.sandbox.max.world import TOKEN, VIDEO, MaxWorld, shown


@pytest.fixture
async def chat(max_: MaxWorld) -> int:
    return await max_.dialog()


async def test_the_address_carries_the_token_for_video_and_audio_only(max_: MaxWorld) -> None:
    for kind in ("image", "video", "audio", "file"):
        answer = (await max_.api("POST", "/uploads", params={"type": kind})).json()
        assert answer["url"].startswith(f"http://sandbox.test/max/up/{kind}?")
        assert ("token" in answer) == (kind in {"video", "audio"})
        assert TOKEN not in answer["url"]


@pytest.mark.parametrize("params", [{}, {"type": "photo"}])
async def test_other_types_are_refused(max_: MaxWorld, params: dict[str, str]) -> None:
    assert shown(await max_.api("POST", "/uploads", params=params)) == (400, "proto.payload")


async def test_every_kind_is_answered_in_its_own_shape(max_: MaxWorld) -> None:
    answers = {kind: (await max_.upload(kind))[1] for kind in ("image", "video", "audio", "file")}

    [photo] = answers["image"].json()["photos"].values()
    assert list(photo) == ["token"]
    assert list(answers["file"].json()) == ["token"]
    for kind in ("video", "audio"):
        assert answers[kind].text == "<retval>1</retval>"
        assert "xml" in answers[kind].headers["content-type"]


async def test_the_file_id_is_a_setting(open_max: Opens) -> None:
    async with open_max(file_id=True) as world:
        assert set((await world.upload("file"))[1].json()) == {"token", "fileId"}


async def test_the_part_must_be_called_data_and_the_address_is_for_one_file(max_: MaxWorld) -> None:
    url = (await max_.api("POST", "/uploads", params={"type": "file"})).json()["url"]

    assert (await max_.web.post(url, files={"file": ("a", b"x")})).status_code == 400
    assert (await max_.web.post(url, files={"data": ("a", b"x")})).status_code == 200
    assert (await max_.web.post(url, files={"data": ("a", b"x")})).status_code == 400
    assert (await max_.web.post("/max/up/file?id=x", files={"data": ("a", b"x")})).status_code == 404
    assert (await max_.web.post(url.replace("file?", "image?"), content=b"x")).status_code == 404


async def test_a_broken_multipart_body_is_400(max_: MaxWorld) -> None:
    url = (await max_.api("POST", "/uploads", params={"type": "file"})).json()["url"]
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert shown(await max_.web.post(url, content=b"--y\r\nnonsense", headers=headers))[0] == 400


@pytest.mark.parametrize(
    ("kind", "content", "name", "words"),
    [
        ("image", b"%PDF-1.7", "a.png", "must be JPG"),
        ("image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (7681).to_bytes(4, "big") * 2, "a.png", "7680"),
        ("video", b"not a video", "a.mp4", "must be MP4"),
        ("file", b"MZ", "a.EXE", "File extension is forbidden"),
        ("file", b"", "a.txt", "empty"),
    ],
)
async def test_wrong_files_are_refused(
    max_: MaxWorld, kind: str, content: bytes, name: str, words: str
) -> None:
    url = (await max_.api("POST", "/uploads", params={"type": kind})).json()["url"]
    answer = await max_.web.post(url, files={"data": (name, content)})
    assert answer.status_code == 400
    assert words in answer.json()["message"]


async def test_a_file_over_the_limit_is_refused_by_its_announced_length(max_: MaxWorld) -> None:
    url = (await max_.api("POST", "/uploads", params={"type": "image"})).json()["url"]
    headers = {"content-length": str(52 * 1024 * 1024), "content-type": "multipart/form-data; boundary=x"}
    assert "larger" in (await max_.web.post(url, content=b"x", headers=headers)).json()["message"]


async def test_tiff_is_a_picture(max_: MaxWorld) -> None:
    assert "photos" in (await max_.upload("image", b"II*\0rest", "a.tiff"))[1].json()


async def test_a_file_may_come_in_parts(max_: MaxWorld, chat: int) -> None:
    url = (await max_.api("POST", "/uploads", params={"type": "file"})).json()["url"]

    async def part(content: bytes, place: str) -> Any:
        headers = {"content-range": place, "x-file-name": "%D0%B0.txt", "x-uploading-mode": "parallel"}
        return await max_.web.post(url, content=content, headers=headers)

    assert (await part(b"wor", "bytes 6-9/10")).status_code == 400
    assert (await part(b"rest", "bytes 6-9/10")).content == b""
    token = (await part(b"begin ", "bytes 0-5/10")).json()["token"]
    await max_.time.pass_(5)

    attachment = (await max_.attached(chat, "file", {"token": token})).json()
    [shown_file] = attachment["message"]["body"]["attachments"]
    assert (shown_file["filename"], shown_file["size"]) == ("а.txt", 10)
    assert (await max_.web.get(shown_file["payload"]["url"])).content == b"begin rest"


async def test_until_it_is_processed_a_file_cannot_be_sent(max_: MaxWorld, chat: int) -> None:
    token, _ = await max_.upload("video")

    early = await max_.hasty(
        "POST",
        "/messages",
        params={"chat_id": chat},
        json={"attachments": [{"type": "video", "payload": {"token": token}}]},
    )
    await max_.time.pass_(1)
    late = await max_.attached(chat, "video", {"token": token})

    assert shown(early) == (400, "attachment.not.ready")
    assert "video.not.processed" in early.json()["message"]
    assert late.status_code == 200


async def test_a_token_whose_file_never_came_is_never_ready(max_: MaxWorld, chat: int) -> None:
    token = (await max_.api("POST", "/uploads", params={"type": "audio"})).json()["token"]
    await max_.time.pass_(1000)
    assert shown(await max_.attached(chat, "audio", {"token": token})) == (400, "attachment.not.ready")


async def test_not_ready_can_be_switched_on_for_the_next_sends(max_: MaxWorld, chat: int) -> None:
    token = await max_.token("image")
    await max_.fault(not_ready=1)

    assert (await max_.send(chat, "просто текст")).status_code == 200
    answers = [await max_.attached(chat, "image", {"token": token}) for _ in range(2)]
    assert [a.status_code for a in answers] == [400, 200]


async def test_every_kind_is_sent_and_really_opens(max_: MaxWorld, chat: int) -> None:
    for kind in ("image", "video", "audio", "file"):
        token = await max_.token(kind, name="Акт приёмки.pdf")
        message = (await max_.attached(chat, kind, {"token": token})).json()["message"]
        [attachment] = message["body"]["attachments"]
        assert (attachment["type"], attachment["payload"]["token"]) == (kind, token)
        opened = await max_.web.get(attachment["payload"]["url"])
        expected = made_up_picture(40, 30).content if kind == "image" else VIDEO
        assert opened.content == expected
        assert "text" not in message["body"]


async def test_the_file_name_is_encoded_twice_in_the_header(max_: MaxWorld, chat: int) -> None:
    token = await max_.token("file", name="Акт.pdf")
    message = (await max_.attached(chat, "file", {"token": token})).json()["message"]
    [attachment] = message["body"]["attachments"]

    opened = await max_.web.get(attachment["payload"]["url"])

    assert (attachment["filename"], attachment["size"]) == ("Акт.pdf", len(VIDEO))
    assert "%25D0%2590" in opened.headers["content-disposition"]
    assert (await max_.web.get("/max/i?r=guessed")).status_code == 404


async def test_a_photos_map_is_sent_whole(max_: MaxWorld, chat: int) -> None:
    photos = (await max_.upload("image"))[1].json()["photos"]
    photos |= (await max_.upload("image"))[1].json()["photos"]

    message = (await max_.attached(chat, "image", {"photos": photos})).json()["message"]

    assert [a["type"] for a in message["body"]["attachments"]] == ["image", "image"]
    assert (await max_.seen())[-1]["image_url"].startswith("http://sandbox.test/media/")


async def test_a_picture_by_address_is_shown_as_given(max_: MaxWorld, chat: int) -> None:
    url = "https://pictures.test/p.png"
    message = (await max_.attached(chat, "image", {"url": url})).json()["message"]
    assert message["body"]["attachments"][0]["payload"]["url"] == url
    assert (await max_.seen())[-1]["image_url"] == url


async def test_a_token_received_can_be_sent_on(max_: MaxWorld) -> None:
    await max_.subscribe()
    chat = int((await max_.write(image=True))["chat_id"])
    [attachment] = max_.last["message"]["body"]["attachments"]
    answer = await max_.attached(chat, "image", {"token": attachment["payload"]["token"]})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "attachments",
    [
        [{"type": "image", "payload": {}}],
        [{"type": "image"}],
        [{"type": "image", "payload": {"token": "guessed"}}],
        [{"type": "image", "payload": {"token": "a", "url": "https://b.test"}}],
        [{"type": "image", "payload": {"url": "ftp://b.test"}}],
        [{"type": "image", "payload": {"photos": ["a"]}}],
        [{"type": "video", "payload": {"token": 5}}],
        [{"type": "poll", "payload": {}}],
        [{"payload": {}}],
        ["image"],
        [{"type": "contact", "payload": {"name": "Мастер"}}],
        [{"type": "location", "payload": {"latitude": 1, "longitude": 2}}],
        [{"type": "location", "latitude": "1", "longitude": True}],
        [{"type": "share", "payload": {}}],
        [{"type": "sticker", "payload": {"code": "a"}}] * 2,
        [{"type": "sticker", "payload": {"code": "a"}}, {"type": "location", "latitude": 1, "longitude": 2}],
        [{"type": "location", "latitude": 1, "longitude": 2}] * 13,
    ],
)
async def test_wrong_attachments_are_400(max_: MaxWorld, chat: int, attachments: list[Any]) -> None:
    answer = await max_.send(chat, attachments=attachments)
    assert shown(answer) == (400, "proto.payload")


async def test_an_image_without_a_source_is_told_so(max_: MaxWorld, chat: int) -> None:
    answer = await max_.attached(chat, "image", {})
    assert answer.json()["message"] == "No `photos`, `url` or `token` provided. Check payload."


async def test_places_cards_stickers_and_links_are_sent(max_: MaxWorld, chat: int) -> None:
    card = {"type": "contact", "payload": {"name": "Мастер", "vcf_phone": "79990000000"}}
    place = {"type": "location", "latitude": 55.7, "longitude": 37.6}
    for given in (
        card,
        place,
        {"type": "sticker", "payload": {"code": "abc"}},
        {"type": "share", "payload": {"url": "https://example.test"}},
    ):
        [made] = (await max_.sent(chat, attachments=[given]))["body"]["attachments"]
        assert made["type"] == given["type"]
        if given is card:
            assert "TEL;TYPE=cell:79990000000" in made["payload"]["vcf_info"]
        if given is place:
            assert made == place


async def test_a_video_shows_its_links_when_it_is_processed(max_: MaxWorld) -> None:
    token, _ = await max_.upload("video")

    early = (await max_.hasty("GET", f"/videos/{token}")).json()
    await max_.time.pass_(2)
    late = (await max_.api("GET", f"/videos/{token}")).json()

    assert "urls" not in early
    assert {"token", "urls", "thumbnail", "width", "height", "duration"} == set(late)
    assert (await max_.web.get(late["urls"]["mp4_360"])).content == VIDEO
    assert shown(await max_.api("GET", "/videos/guessed")) == (404, "not.found")
