"""The phone page by what a person finds on it: labels, roles and words."""

import re

from playwright.sync_api import Page, expect

SECONDS = 30_000


class Phone:
    """`complaints` are what the browser's console says of errors."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.set_default_timeout(SECONDS)
        page.goto(address)
        self.log = page.get_by_role("log")
        self.text = page.get_by_label("Message", exact=True)

    def choose(self, messenger: str) -> None:
        """Channel by its name in the control API."""
        self.page.get_by_role("combobox", name="Channel").select_option(messenger)
        expect(self.text).to_be_enabled()

    def become(self, customer: str) -> None:
        """Somebody new on the chosen channel, or somebody known."""
        chooser = self.page.get_by_role("combobox", name="Customer", exact=True)
        if customer in chooser.locator("option").all_inner_texts():
            chooser.select_option(customer)
            return
        self.page.get_by_label("New customer").fill(customer)
        self.page.get_by_role("button", name="Add").click()
        expect(chooser).to_have_value(customer)
        expect(self.text).to_be_focused()

    def write(self, words: str) -> None:
        """As fingers do: type, Enter."""
        self.text.fill(words)
        self.text.press("Enter")
        expect(self.text).to_have_value("")

    def press(self, name: str) -> None:
        """A button of the page or of a message."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def record(self) -> None:
        """Speak for a second; a recording without a length is none."""
        self.press("Record")
        self.page.get_by_role("button", name=re.compile("Stop (?!0:00)")).click()

    def is_told(self, words: str) -> None:
        """By the shop."""
        told = self.log.locator(".theirs").filter(has_text=words).last
        expect(told).to_be_visible(timeout=SECONDS)

    def sees(self, words: str) -> None:
        """Anywhere on the page."""
        expect(self.page.get_by_text(words).last).to_be_visible(timeout=SECONDS)

    def conversation(self) -> list[str]:
        """The words of all messages."""
        return [str(words) for words in self.log.locator(".words").all_inner_texts()]

    def opens_photo(self) -> None:
        """The newest picture is decoded."""
        picture = self.log.get_by_role("img", name="Picture").last
        picture.scroll_into_view_if_needed()
        self.page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())

    def plays_voice(self) -> None:
        """The newest recording has a length."""
        player = self.log.get_by_label("Voice message").last
        self.page.wait_for_function("player => player.duration > 0", arg=player.element_handle())
