import re
from pathlib import Path

import pytest

import sandbox
from tests.sandbox.world import World

PAGE = Path(sandbox.__file__).parent / "page"
FILES = sorted(path.name for path in PAGE.iterdir())


async def test_the_phone_is_at_the_root_and_everything_it_names_is_served(world: World) -> None:
    page = await world.web.get("/")

    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    named = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert {(await world.web.get(path)).status_code for path in named} == {200}


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_loaded_from_the_network_and_no_text_becomes_markup(name: str) -> None:
    content = (PAGE / name).read_text()

    assert re.findall(r"https?://(?!www\.w3\.org/)", content) == []
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", content)


def test_every_word_exists_in_both_languages() -> None:
    english, russian = (PAGE / "words.js").read_text().split("ru: {")
    keys = re.findall(r"(\w+): \"", english)
    used = set(re.findall(r'data-(?:t|label|placeholder)="(\w+)"', (PAGE / "index.html").read_text()))
    for script in PAGE.glob("*.js"):
        used |= set(re.findall(r'\bt\("(\w+)"\)', script.read_text()))

    assert keys == re.findall(r"(\w+): \"", russian)
    assert used <= set(keys)


def test_every_field_and_button_has_a_name() -> None:
    html = (PAGE / "index.html").read_text()
    for tag in re.findall(r"<(?:input|textarea|select)[^>]*>", html):
        inside_label = re.search(rf"<label[^>]*>(?:(?!</label>).)*{re.escape(tag)}", html, re.DOTALL)
        assert "aria-label" in tag or inside_label or "hidden" in tag, tag
