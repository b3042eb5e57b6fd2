import json
from typing import Any

import pytest

from sandbox.media import Media, made_up_picture
from sandbox.vk import uploads
from sandbox.vk.media_objects import sample_voice, seconds_of
from tests.sandbox.vk.conftest import Open
from tests.sandbox.vk.world import GROUP, VkWorld

PNG = made_up_picture(1200, 800).content


async def put_photo(vk: VkWorld, content: bytes, name: str = "p.png", field: str = "photo") -> dict[str, Any]:
    address = await vk.api("photos.getMessagesUploadServer", peer_id=0)
    return dict((await vk.web.post(address["upload_url"], files={field: (name, content)})).json())


async def put_document(vk: VkWorld, content: bytes, name: str, kind: str = "doc") -> dict[str, Any]:
    address = await vk.api("docs.getMessagesUploadServer", type=kind, peer_id=1)
    return dict((await vk.web.post(address["upload_url"], files={"file": (name, content)})).json())


async def test_a_photo_goes_in_three_steps_and_opens(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    uploaded = await put_photo(vk, PNG)
    assert isinstance(uploaded["photo"], str)
    assert json.loads(uploaded["photo"])

    [photo] = await vk.api("photos.saveMessagesPhoto", **uploaded)
    name = f"photo{photo['owner_id']}_{photo['id']}_{photo['access_key']}"
    await vk.send(peer, "вот", attachment=name)

    last = (await vk.seen())[-1]
    assert (last["type"], last["text"], photo["owner_id"]) == ("image", "вот", -GROUP)
    opened = await vk.web.get(photo["orig_photo"]["url"])
    assert (opened.content, opened.headers["content-type"]) == (PNG, "image/png")
    widths = [size["width"] for size in photo["sizes"]]
    assert widths != sorted(widths)
    assert await vk.refusal(peer, attachment=f"{name}x") == 10


@pytest.mark.parametrize(
    ("content", "name", "field"),
    [
        (PNG, "p.png", "file"),
        (PNG, "photo", "photo"),
        (b"%PDF-1.4", "p.png", "photo"),
        (b"", "p.png", "photo"),
        (made_up_picture(420, 20).content, "p.png", "photo"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (7001).to_bytes(4, "big") * 2, "p.png", "photo"),
    ],
)
async def test_a_refused_photo_is_an_empty_answer(vk: VkWorld, content: bytes, name: str, field: str) -> None:
    uploaded = await put_photo(vk, content, name, field)

    assert uploaded["photo"] == "[]"
    assert (await vk.error("photos.saveMessagesPhoto", **uploaded))[0] == 129


async def test_an_upload_is_saved_once_and_by_what_belongs_to_it(vk: VkWorld) -> None:
    first, second = await put_photo(vk, PNG), await put_photo(vk, PNG)

    async def code(**given: Any) -> int:
        return (await vk.error("photos.saveMessagesPhoto", **{**first, **given}))[0]

    assert (await code(server=5), await code(hash="x"), await code(photo=second["photo"])) == (118, 121, 129)
    await vk.api("photos.saveMessagesPhoto", **first)
    assert await code() == 121
    assert (await vk.error("photos.saveMessagesPhoto", photo="[]"))[0] == 100


async def test_further_field_names_can_be_allowed(open_vk: Open) -> None:
    async with open_vk(photo_fields=("photo", "file0")) as vk:
        uploaded = await put_photo(vk, PNG, field="file0")

        assert len(await vk.api("photos.saveMessagesPhoto", **uploaded)) == 1


async def test_a_document_keeps_its_name_or_gets_a_title(vk: VkWorld) -> None:
    peer = await vk.write(text="ау")
    uploaded = await put_document(vk, b"%PDF-1.4 x", "прайс.pdf")

    saved = await vk.api("docs.save", **uploaded, title="Цены", tags="a,b", return_tags=1)

    doc = saved["doc"]
    assert (saved["type"], doc["title"], doc["ext"], doc["size"], doc["type"]) == (
        "doc",
        "Цены",
        "pdf",
        10,
        1,
    )
    assert doc["tags"] == ["a", "b"]
    assert (await vk.web.get(doc["url"])).content == b"%PDF-1.4 x"
    await vk.send(peer, "", attachment=f"doc{doc['owner_id']}_{doc['id']}")
    assert (await vk.error("docs.save", **uploaded))[0] == 105


@pytest.mark.parametrize("form", ["doc", "audio_message"])
async def test_a_voice_note_is_attached_under_either_name(vk: VkWorld, form: str) -> None:
    peer = await vk.write(text="ау")
    uploaded = await put_document(vk, sample_voice().content, "v.ogg", "audio_message")

    voice = (await vk.api("docs.save", **uploaded))["audio_message"]
    await vk.send(peer, "", attachment=f"{form}{voice['owner_id']}_{voice['id']}")

    assert (await vk.seen())[-1]["voice_url"] == voice["link_ogg"]
    assert voice["duration"] == 3


async def test_graffiti_is_a_png(vk: VkWorld) -> None:
    saved = await vk.api("docs.save", **await put_document(vk, PNG, "g.png", "graffiti"))

    assert (saved["type"], saved["graffiti"]["width"]) == ("graffiti", 1200)
    assert "error" in await put_document(vk, b"%PDF", "g.png", "graffiti")


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"ID3", "song.mp3", "doc"),
        (b"MZ", "setup.EXE", "doc"),
        (b"", "empty.txt", "doc"),
        (b"ftypM4A", "v.m4a", "audio_message"),
        (b"OggS\0\0" + (301 * 48_000).to_bytes(8, "little"), "v.ogg", "audio_message"),
    ],
)
async def test_a_refused_document_is_told_in_its_own_form(
    vk: VkWorld, content: bytes, name: str, kind: str
) -> None:
    answer = await put_document(vk, content, name, kind)

    assert set(answer) == {"error", "error_descr"}
    assert (await vk.error("docs.save", file="unknown"))[0] == 105


async def test_a_file_over_the_limit_is_refused(vk: VkWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST_PHOTO", 10)
    monkeypatch.setattr(uploads, "LARGEST_DOCUMENT", 10)

    assert (await put_photo(vk, PNG + b"\0" * 70_000))["photo"] == "[]"
    assert "error" in await put_document(vk, b"\0" * 70_000, "a.bin")


async def test_an_unknown_address_takes_nothing(vk: VkWorld) -> None:
    photo = await vk.web.post("/vk/upload/photo?hash=x", files={"photo": ("p.png", PNG)})
    document = await vk.web.post("/vk/upload/doc?hash=x", files={"file": ("a.txt", b"x")})

    assert (photo.json()["photo"], "error" in document.json()) == ("[]", True)
    assert (await vk.error("docs.getMessagesUploadServer", type="song"))[0] == 100


async def test_an_upload_can_come_back_empty(vk: VkWorld) -> None:
    await vk.fault(empty_upload=True)

    assert (await put_photo(vk, PNG))["photo"] == "[]"
    assert await put_document(vk, b"x", "a.txt") == {"file": ""}


def test_the_length_of_what_is_not_ogg_is_a_second() -> None:
    assert (seconds_of(b""), seconds_of(Media(b"OggS", "audio/ogg").content)) == (1, 1)
