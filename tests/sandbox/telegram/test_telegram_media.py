"""Files out and in: uploads, addresses, albums, downloads (contract §5, §6)."""

import json
from typing import Any

import httpx
import pytest

from sandbox.media import made_up_picture
from tests.sandbox.telegram.world import TOKEN, World, opened

PICTURE = made_up_picture(300, 200).content
MEGABYTE = 1024 * 1024


async def test_an_uploaded_photo_opens_again(telegram: World) -> None:
    chat = await telegram.chat()
    answer = await telegram.upload(
        "sendPhoto", {"photo": ("x.png", PICTURE)}, chat_id=str(chat), caption="вот"
    )

    sent = answer.json()["result"]
    largest = sent["photo"][-1]
    assert (largest["width"], largest["height"], largest["file_size"]) == (300, 200, len(PICTURE))
    assert [size["width"] for size in sent["photo"]] == sorted(size["width"] for size in sent["photo"])
    assert (await telegram.download(largest["file_id"])).content == PICTURE

    seen = (await telegram.seen())[-1]
    assert (seen["text"], seen["type"]) == ("вот", "photo")
    assert (await telegram.web.get(seen["image_url"])).content == PICTURE


@pytest.mark.parametrize(
    ("method", "field", "upload", "key"),
    [
        ("sendDocument", "document", ("чек.pdf", b"%PDF", "application/pdf"), "document"),
        ("sendVoice", "voice", ("v.ogg", b"OggS...", "audio/ogg"), "voice"),
        ("sendVoice", "voice", ("v.wav", b"RIFF", "audio/wav"), "document"),
        ("sendVoice", "voice", ("v.ogg", b"OggS" + bytes(MEGABYTE), "audio/ogg"), "document"),
        ("sendVideo", "video", ("v.mp4", b"mp4", "video/mp4"), "video"),
        ("sendAudio", "audio", ("a.mp3", b"mp3", "audio/mpeg"), "audio"),
        ("sendAnimation", "animation", ("a.mp4", b"mp4", "video/mp4"), "animation"),
        ("sendVideoNote", "video_note", ("n.mp4", b"mp4", "video/mp4"), "video_note"),
    ],
)
async def test_every_kind_can_be_uploaded(
    telegram: World, method: str, field: str, upload: Any, key: str
) -> None:
    chat = await telegram.chat()
    sent = (await telegram.upload(method, {field: upload}, chat_id=str(chat))).json()["result"]

    assert key in sent
    assert (await telegram.download(sent[key]["file_id"])).content == upload[1]
    if key == "document":
        assert (sent[key]["file_name"], sent[key]["mime_type"]) == (upload[0], upload[2])
    if key == "animation":
        assert sent["document"]["file_id"] == sent["animation"]["file_id"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no picture", "IMAGE_PROCESS_FAILED"),
        (b"GIF89a\x01\0\xff\0", "PHOTO_INVALID_DIMENSIONS"),
        (b"GIF89a\x88\x13\x89\x13", "PHOTO_INVALID_DIMENSIONS"),
        (b"GIF89a\x09\0\x09\0" + bytes(10 * MEGABYTE), "file is too big"),
    ],
)
async def test_a_bad_photo_is_refused(telegram: World, content: bytes, words: str) -> None:
    chat = await telegram.chat()
    answer = await telegram.upload("sendPhoto", {"photo": ("x.gif", content)}, chat_id=str(chat))

    assert answer.json()["description"] == f"Bad Request: {words}"


async def test_a_file_can_be_attached_by_name_and_sent_again_by_id(telegram: World) -> None:
    chat = await telegram.chat()
    first = await telegram.upload(
        "sendPhoto", {"mine": ("x.png", PICTURE)}, chat_id=str(chat), photo="attach://mine"
    )
    sizes = first.json()["result"]["photo"]
    again = await telegram.result("sendPhoto", chat_id=chat, photo=sizes[-1]["file_id"])

    assert again["photo"][-1]["file_unique_id"] == sizes[-1]["file_unique_id"]
    assert await telegram.refusal("sendPhoto", chat_id=chat, photo="AgACwrong") == (
        400,
        "Bad Request: wrong file_id or the file is temporarily unavailable",
    )
    assert await telegram.refusal("sendPhoto", chat_id=chat) == (
        400,
        "Bad Request: there is no photo in the request",
    )


async def test_an_address_is_fetched(telegram: World) -> None:
    chat = await telegram.chat()
    page = httpx.Response(200, content=PICTURE, headers={"content-type": "image/png"})
    telegram.receiver.pages["https://img.test/a.png"] = page

    sent = await telegram.result("sendPhoto", chat_id=chat, photo="https://img.test/a.png")

    assert (await telegram.download(sent["photo"][-1]["file_id"])).content == PICTURE


@pytest.mark.parametrize(
    ("url", "page", "words"),
    [
        ("ftp://img.test/a", None, "wrong HTTP URL specified"),
        ("https://img.test/lost", None, "failed to get HTTP URL content"),
        (
            "https://img.test/page",
            httpx.Response(200, html="<p>"),
            "wrong type of the web page content",
        ),
        (
            "https://img.test/big",
            httpx.Response(200, content=bytes(6 * MEGABYTE), headers={"content-type": "image/png"}),
            "failed to get HTTP URL content",
        ),
    ],
)
async def test_what_cannot_be_fetched_is_refused(
    telegram: World, url: str, page: httpx.Response | None, words: str
) -> None:
    if page is not None:
        telegram.receiver.pages[url] = page
    refused = await telegram.refusal("sendPhoto", chat_id=await telegram.chat(), photo=url)

    assert refused == (400, f"Bad Request: {words}")


async def test_a_host_that_telegram_cannot_reach(telegram: World) -> None:
    await telegram.fault(no_fetch=True)
    refused = await telegram.refusal(
        "sendPhoto", chat_id=await telegram.chat(), photo="https://img.test/a.png"
    )

    assert refused == (400, "Bad Request: WEBPAGE_CURL_FAILED")


async def test_a_strict_setting_fetches_official_documents_only() -> None:
    async with opened(strict_url_documents=True) as world:
        text = httpx.Response(200, text="hello")
        pdf = httpx.Response(200, content=b"%PDF", headers={"content-type": "application/pdf"})
        world.receiver.pages |= {"https://f.test/a.txt": text, "https://f.test/a.pdf": pdf}
        chat = await world.chat()

        assert (await world.refusal("sendDocument", chat_id=chat, document="https://f.test/a.txt"))[0] == 400
        assert await world.result("sendDocument", chat_id=chat, document="https://f.test/a.pdf")


async def test_an_album_is_an_array_of_messages(telegram: World) -> None:
    chat = await telegram.chat()
    media = [
        {"type": "photo", "media": "attach://one", "caption": "*да*", "parse_mode": "Markdown"},
        {"type": "video", "media": "attach://two"},
    ]
    answer = await telegram.upload(
        "sendMediaGroup",
        {"one": ("1.png", PICTURE), "two": ("2.mp4", b"mp4", "video/mp4")},
        chat_id=str(chat),
        media=json.dumps(media),
    )

    photo, video = answer.json()["result"]
    assert photo["media_group_id"] == video["media_group_id"]
    assert (photo["caption"], "caption" in video, "video" in video) == ("да", False, True)
    assert video["message_id"] == photo["message_id"] + 1


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ([], "there are no messages to send"),
        (["photo"] * 11, "too many messages to send as an album"),
        (["photo"], "there must be 2 to 10 messages in an album"),
        (["photo", "document"], "Document can't be mixed with other media types"),
        (["document", "audio"], "Document can't be mixed with other media types"),
        (["audio", "video"], "Audio can't be mixed with other media types"),
        (["photo", "sticker"], None),
        (
            ["photo", "photo"],
            'failed to send message #1 with the error message "wrong file_id or the file is '
            'temporarily unavailable"',
        ),
    ],
)
async def test_a_wrong_album_is_refused(telegram: World, kinds: list[str], words: str | None) -> None:
    media = [{"type": kind, "media": "unknown"} for kind in kinds]
    status, description = await telegram.refusal("sendMediaGroup", chat_id=await telegram.chat(), media=media)

    assert status == 400
    assert words is None or description == f"Bad Request: {words}"


async def test_a_file_path_lives_an_hour_and_hides_name_and_type(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.write(voice=True)
    voice = telegram.receiver.payloads[0]["voice"]
    located = await telegram.result("getFile", file_id=voice["file_id"])
    address = f"/telegram/file/bot{TOKEN}/{located['file_path']}"

    opened_now = await telegram.web.get(address)
    await telegram.fault(clock_ahead=3600)
    opened_late = await telegram.web.get(address)

    assert located == {
        "file_id": voice["file_id"],
        "file_unique_id": voice["file_unique_id"],
        "file_size": voice["file_size"],
        "file_path": "voice/file_0.oga",
    }
    assert opened_now.content.startswith(b"OggS")
    assert len(opened_now.content) == voice["file_size"]
    assert opened_now.headers["content-type"] == "application/octet-stream"
    assert (opened_late.status_code, opened_late.json()["description"]) == (404, "Not Found")


async def test_files_over_twenty_megabytes_cannot_be_had(telegram: World) -> None:
    await telegram.subscribe()
    await telegram.write(type="document", content={"file_size": (20 << 20) + 1}, text="смотрите")
    message = telegram.receiver.payloads[0]

    assert message["caption"] == "смотрите"
    assert await telegram.refusal("getFile", file_id=message["document"]["file_id"]) == (
        400,
        "Bad Request: file is too big",
    )


async def test_unknown_files(telegram: World) -> None:
    assert await telegram.refusal("getFile", file_id="no") == (
        400,
        "Bad Request: wrong file_id or the file is temporarily unavailable",
    )
    assert (await telegram.refusal("getFile"))[0] == 400
    assert (await telegram.web.get(f"/telegram/file/bot{TOKEN}/photos/none.jpg")).status_code == 404
    assert (await telegram.web.get("/telegram/file/bot7:wrong/photos/none.jpg")).status_code == 401
