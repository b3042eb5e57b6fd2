"""Our links to kept files: they open for whoever has one, forge nothing, and run nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from orchestrator.content_store import path_of
from orchestrator.media_links import MediaLinks, media_routes
from tests.integration.media_fixture import JPEG, ORIGIN, Files, files, photo
from tests.integration.test_resolve_scene import message

URL = "https://cdn/1.jpg"
EVIL = b"<html><script>fetch('/api/turns')</script></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[Files]:
    async with files(database_url, tmp_path) as made:
        yield made


async def get(world: Files, path: str) -> httpx.Response:
    app = Starlette(routes=list(media_routes(world.links, world.contents, world.here.pool)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as web:
        return await web.get(path)


async def kept(world: Files, content: bytes, **document: str) -> str:
    """The link to a file that a customer sent."""
    world.web.answers[URL] = content
    if document:
        media = {"has_document": True, "documents": [{"url": URL} | document]}
        await world.arrive(message("1", media=media))
    else:
        await world.arrive(photo("1"))
    return world.links.link(await world.here.value("SELECT id FROM media"))


@pytest.mark.promise("media-kept")
async def test_a_link_opens_the_file_as_it_was_and_stays_the_same(world: Files) -> None:
    link = await kept(world, JPEG)
    world.pass_time(30 * 86_400)

    opened = await get(world, link)

    assert (opened.status_code, opened.content) == (200, JPEG)
    assert opened.headers["content-type"] == "image/jpeg"
    assert opened.headers["content-disposition"].startswith('inline; filename="image.jpg"')
    assert world.links.link(1) == link


@pytest.mark.promise("media-harmless")
@pytest.mark.parametrize("content", [EVIL, SVG])
@pytest.mark.parametrize("name", ["page.html", "x.svg", 'a"\r\nX: y.html', "../../etc/passwd"])
async def test_a_page_of_a_customer_is_saved_and_never_run(world: Files, content: bytes, name: str) -> None:
    """Neither its name nor its words make it HTML or SVG in our origin."""
    opened = await get(world, await kept(world, content, name=name))

    assert opened.status_code == 200
    assert opened.headers["content-type"] == "text/plain"
    assert opened.headers["content-disposition"].startswith("attachment;")
    assert opened.headers["x-content-type-options"] == "nosniff"
    assert opened.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "\n" not in opened.headers["content-disposition"]
    assert "/" not in opened.headers["content-disposition"].partition("filename=")[2].partition(";")[0]


@pytest.mark.promise("media-harmless")
async def test_a_link_cannot_be_guessed_or_led_to_another_file(world: Files) -> None:
    link = await kept(world, JPEG)
    number, _, signature = link.rpartition("/")[2].partition(".")
    other_key = MediaLinks(SecretStr("another-key-0123456789"), ORIGIN).link(1)

    for token in (
        f"{int(number) + 1}.{signature}",
        f"{number}.{signature[:-1]}A",
        f"{number}.",
        f"0{number}.{signature}",
        f"{number}.{signature}x",
        number,
        "1." + "A" * 43,
        "99999999999999999999." + signature,
        "%D9%A1." + signature,  # a digit, but not ours
        other_key.rpartition("/")[2],
        path_of(await world.here.value("SELECT content_hash FROM media")),
    ):
        assert (await get(world, f"/media/{token}")).status_code == 404, token


async def test_what_is_not_there_any_more_is_404(world: Files) -> None:
    link = await kept(world, JPEG)
    await world.store.delete([await world.here.value("SELECT content_hash FROM media")])
    without_bytes = await get(world, link)
    await world.here.pool.execute("DELETE FROM messages_history")

    assert (without_bytes.status_code, (await get(world, link)).status_code) == (404, 404)


async def test_a_store_that_is_away_is_told_as_such(world: Files) -> None:
    link = await kept(world, JPEG)
    path = world.folder / path_of(await world.here.value("SELECT content_hash FROM media"))
    path.unlink()
    path.mkdir()

    opened = await get(world, link)

    assert opened.status_code == 503
    assert str(world.folder) not in opened.text


def test_without_an_address_there_are_no_links() -> None:
    assert MediaLinks(SecretStr("a-key-of-tests-0123456789"), "").link(1) == ""
