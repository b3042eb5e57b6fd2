"""The phone page for everybody: axe finds nothing, and a keyboard is enough."""

from typing import TYPE_CHECKING, Literal

import pytest

from tests.system import System

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ViewportSize

    from tests.browser.phone import Phone

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("language", "scheme", "width", "height"),
    [
        ("en-GB", "light", 1280, 900),
        ("ru-RU", "dark", 1280, 900),
        ("ru-RU", "light", 390, 844),
        ("en-GB", "dark", 320, 600),
    ],
)
def test_axe_finds_nothing_and_nothing_overflows(
    chromium: "Browser",
    system: System,
    language: str,
    scheme: Literal["dark", "light"],
    width: int,
    height: int,
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    system.write("Анна", "telegram", text=f"Экран {'длинный' * 30}", image=True)
    system.write("Анна", "telegram", voice=True)
    window: ViewportSize = {"width": width, "height": height}
    with chromium.new_context(locale=language, color_scheme=scheme, viewport=window) as context:
        page = context.new_page()
        page.goto(system.url("sandbox"))
        page.locator("#channel").select_option("telegram")
        page.locator(".mine audio").last.wait_for()

        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.title() == ("Телефон клиента" if language == "ru-RU" else "Sandbox phone")


def test_a_keyboard_is_enough(phone: "Phone", stranger: str) -> None:
    keys = phone.page.keyboard
    phone.choose("max")
    phone.page.get_by_label("New customer").focus()
    keys.type(stranger)
    keys.press("Enter")
    phone.page.wait_for_function("() => document.activeElement.id === 'text'")
    keys.type("Сколько стоит")
    keys.press("Shift+Enter")
    keys.type("замена экрана?")
    keys.press("Enter")

    phone.is_told("Замена экрана")
    assert phone.conversation()[0] == "Сколько стоит\nзамена экрана?"
