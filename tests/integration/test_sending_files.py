"""Pictures, voice notes, videos and documents are sent once, with their words, to vendors of every habit."""

from dataclasses import replace
from typing import Any

import pytest

from core.capabilities import MediaKind
from core.channel import MediaFile
from core.errors import IdempotencyConflict, OutcomeUnknown, Rejected
from core.testing import (
    FAKE_LIMITS,
    FAKE_RICH_LIMITS,
    FakeChannel,
    FakeChannelWithEverything,
    FakeChannelWithHistory,
)
from tests.integration.post_fixture import CHAT, post

PICTURE = MediaFile(b"\xff\xd8picture")
FILES: dict[MediaKind, MediaFile] = {
    "image": PICTURE,
    "voice": MediaFile(b"OggS", "audio/ogg", "voice.ogg"),
    "video": MediaFile(b"....ftypmp42", "video/mp4", "video.mp4"),
    "document": MediaFile(b"%PDF-", "application/pdf", "price.pdf"),
}
BY_ADDRESS = FAKE_RICH_LIMITS.model_copy(update={"media_by_url": True})


class Shelf:
    """Gives every file an address, a new one each time."""

    def __init__(self) -> None:
        self.offered: list[MediaFile] = []

    async def offer(self, file: MediaFile) -> MediaFile:
        self.offered.append(file)
        return replace(file, url=f"https://us/{len(self.offered)}")


async def test_a_picture_goes_first_and_its_caption_follows(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithHistory) as here:
        sent = await here.replica().send_file(CHAT, "image", PICTURE, "Вот так", "k")
        again = await here.replica().send_file(CHAT, "image", PICTURE, "Вот так", "k")

        assert [(one.image, one.text) for one in here.channel.taken] == [(PICTURE, ""), (None, "Вот так")]
        assert (again.message_ids, again.duplicate) == (sent.message_ids, True)


@pytest.mark.parametrize("kind", FILES)
async def test_every_kind_goes_through_its_own_part(redis_url: str, kind: MediaKind) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        await here.replica().send_file(CHAT, kind, FILES[kind], "", "k")

        [taken] = here.channel.taken
        assert (taken.kind, taken.file, taken.text, taken.key) == (kind, FILES[kind], "", "k#0")


@pytest.mark.parametrize(
    ("kind", "caption", "texts"),
    [
        ("image", " Вот так ", ["Вот так"]),
        ("document", "я" * 50, ["я" * 50]),
        ("document", "я" * 51, ["", "я" * 51]),
        ("voice", "Послушайте", ["", "Послушайте"]),
        ("video", "да " * 400, ["", ("да " * 200).strip(), ("да " * 200).strip()]),
    ],
)
async def test_words_travel_with_a_file_where_they_fit(
    redis_url: str, kind: MediaKind, caption: str, texts: list[str]
) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        await here.replica().send_file(CHAT, kind, FILES[kind], caption)

        assert " ".join(here.texts) == " ".join(texts)
        assert here.channel.taken[0].text == texts[0]


async def test_a_caption_is_measured_in_the_unit_of_the_vendor(redis_url: str) -> None:
    limits = FAKE_RICH_LIMITS.model_copy(update={"text_unit": "bytes"})
    async with post(redis_url, FakeChannelWithEverything, capabilities=limits) as here:
        await here.replica().send_file(CHAT, "image", PICTURE, "я" * 25)
        await here.replica().send_file(CHAT, "image", PICTURE, "я" * 26)

        assert here.texts == ["я" * 25, "", "я" * 26]


@pytest.mark.parametrize(
    ("kind", "file", "reason"),
    [
        ("image", MediaFile(b"x" * 1_000_001), "The picture is larger than"),
        ("image", MediaFile(b"<svg/>", "image/svg+xml"), "takes image/jpeg"),
        ("voice", FILES["voice"], "takes no voice notes"),
        ("document", FILES["document"], "takes no files"),
    ],
)
async def test_what_the_vendor_does_not_take_is_refused_first(
    redis_url: str, kind: MediaKind, file: MediaFile, reason: str
) -> None:
    async with post(redis_url, FakeChannel) as here:
        with pytest.raises(Rejected, match=reason):
            await here.replica().send_file(CHAT, kind, file)
        assert here.channel.calls == 0


async def test_a_kind_that_only_the_manifest_names_is_refused(redis_url: str) -> None:
    async with post(redis_url, FakeChannel, capabilities=FAKE_RICH_LIMITS) as here:
        with pytest.raises(Rejected, match="takes no videos"):
            await here.replica().send_file(CHAT, "video", FILES["video"])


@pytest.mark.parametrize("kind", FILES)
async def test_a_lost_file_is_found_in_the_history(redis_url: str, kind: MediaKind) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_file(CHAT, kind, FILES[kind], "я" * 60, "k")

        sent = await here.replica().send_file(CHAT, kind, FILES[kind], "я" * 60, "k")

        assert sent.message_ids == ("m1", "m2")
        assert len(here.channel.taken) == 2


async def test_a_lost_picture_is_not_found_in_one_with_other_words_or_of_another_kind(redis_url: str) -> None:
    async with post(redis_url, FakeChannelWithEverything) as here:
        await here.channel.send_image(CHAT, PICTURE, caption="Другая")
        await here.channel.send_document(CHAT, FILES["document"], caption="Наша")
        here.channel.fail(OutcomeUnknown(), taken=True)
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_file(CHAT, "image", PICTURE, "Наша", "k")

        assert (await here.replica().send_file(CHAT, "image", PICTURE, "Наша", "k")).message_ids == ("m3",)


@pytest.mark.parametrize(
    "other", [replace(PICTURE, content=b"\xff\xd8another"), replace(PICTURE, url="https://shop/1")]
)
async def test_a_key_stands_for_one_picture_only(redis_url: str, other: MediaFile) -> None:
    async with post(redis_url, FakeChannel) as here:
        await here.replica().send_file(CHAT, "image", PICTURE, "", "k")

        with pytest.raises(IdempotencyConflict):
            await here.replica().send_file(CHAT, "image", other, "", "k")


async def test_an_address_that_gives_other_bytes_on_the_repeat_is_the_same_picture(redis_url: str) -> None:
    async with post(redis_url, FakeChannel) as here:
        first, again = [
            await here.replica().send_file(CHAT, "image", MediaFile(content, url="https://a"), "", "k")
            for content in (b"\xff\xd81", b"\xff\xd82")
        ]

        assert (again.message_ids, again.duplicate) == (first.message_ids, True)


# --- vendors that fetch media themselves ------------------------------------------------------------------


def by_address(redis_url: str, shelf: Shelf | None) -> Any:
    return post(redis_url, FakeChannelWithEverything, shelf=shelf, capabilities=BY_ADDRESS)


async def test_a_file_without_an_address_gets_one_of_ours(redis_url: str) -> None:
    shelf = Shelf()
    async with by_address(redis_url, shelf) as here:
        await here.replica().send_file(CHAT, "voice", FILES["voice"], "", "k")
        again = await here.replica().send_file(CHAT, "voice", FILES["voice"], "", "k")

        assert [one.file.url for one in here.channel.taken] == ["https://us/1"]
        assert (again.duplicate, len(shelf.offered)) == (True, 1)


async def test_an_address_of_the_caller_is_passed_on(redis_url: str) -> None:
    shelf = Shelf()
    async with by_address(redis_url, shelf) as here:
        await here.replica().send_file(CHAT, "image", replace(PICTURE, url="https://shop/1.jpg"))

        assert here.channel.taken[0].file.url == "https://shop/1.jpg"
        assert shelf.offered == []


async def test_what_a_vendor_may_still_be_fetching_is_not_sent_again(redis_url: str) -> None:
    """Instagram tries for 75 s; the message shows up in its history after that only."""
    async with by_address(redis_url, Shelf()) as here:
        here.channel.fail(OutcomeUnknown(), taken=True)
        here.channel.hidden = 1
        with pytest.raises(OutcomeUnknown):
            await here.replica().send_file(CHAT, "video", FILES["video"], "", "k")
        here.clock.move(75_000)

        with pytest.raises(OutcomeUnknown) as waiting:
            await here.replica().send_file(CHAT, "video", FILES["video"], "", "k")
        here.clock.move(round((waiting.value.retry_after or 0) * 1000))
        here.channel.hidden = 0
        await here.replica().send_file(CHAT, "video", FILES["video"], "", "k")

        assert here.channel.calls == 1


async def test_without_a_shelf_such_a_vendor_needs_an_address(redis_url: str) -> None:
    async with by_address(redis_url, None) as here:
        with pytest.raises(Rejected, match="public address"):
            await here.replica().send_file(CHAT, "image", PICTURE)
        assert here.channel.calls == 0


async def test_a_vendor_that_takes_bytes_is_given_no_address(redis_url: str) -> None:
    shelf = Shelf()
    async with post(redis_url, FakeChannel, shelf=shelf, capabilities=FAKE_LIMITS) as here:
        await here.replica().send_file(CHAT, "image", PICTURE)

        assert shelf.offered == []
