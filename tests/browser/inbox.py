"""The inbox in a host of MCP Apps, by what a person finds in it, over the real hub."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client
from mcp.client.extension import advertise
from mcp.client.streamable_http import streamable_http_client
from playwright.sync_api import FrameLocator, Page, expect

from tests.browser.app_pages import pages

SECONDS = 30_000


#: What a host says that shows apps: the only type that there is.
_SHOWS_APPS = advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})


class HubOfHost:
    """The host's MCP client, which connects anew for each call, in a thread of its own.

    `lose` names tools whose answers are lost after the call was made; `meanwhile` is what happens once, just
    before a tool is called: what it raises, the host is told instead of an answer.
    """

    def __init__(self, portal: BlockingPortal, url: str, key: str) -> None:
        self._portal = portal
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.lose: set[str] = set()
        self.meanwhile: dict[str, Callable[[], None]] = {}

    def ask(self, what: str, *given: Any) -> Any:
        """What the page of the host wants: `tools`, `page` of a URI, or `call` of a tool."""
        if what == "call" and (happens := self.meanwhile.pop(given[0], None)):
            happens()
        return self._portal.call(self._ask, what, *given)

    async def _ask(self, what: str, *given: Any) -> Any:
        async with (
            httpx2.AsyncClient(headers=self._headers, timeout=20) as http,
            Client(streamable_http_client(self._url, http_client=http), extensions=[_SHOWS_APPS]) as client,
        ):
            if what == "tools":
                return [_plain(tool) for tool in (await client.list_tools()).tools]
            if what == "page":
                read = _plain(await client.read_resource(given[0]))["contents"][0]
                return {"html": read["text"], "csp": read["_meta"]["ui"]["csp"]}
            name, arguments = given
            self.calls.append((name, arguments))
            answer = _plain(await client.call_tool(name, arguments))
        if name in self.lose:
            raise ConnectionError("the answer was lost")
        return answer


class Inbox:
    """`complaints` are the page's errors; `blocked` is what the browser says a policy blocked."""

    def __init__(self, page: Page, hub: HubOfHost, origins: tuple[str, str], host: str) -> None:
        self.page = page
        self.hub = hub
        self.complaints: list[str] = []
        self.blocked: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        page.set_default_timeout(SECONDS)
        page.expose_function("hub", hub.ask)
        page.add_init_script(f"window.SANDBOX = {origins[1]!r};")
        page.goto(f"{origins[0]}/{host}.html")
        page.wait_for_function("() => Boolean(window.show)")

    def show(self, appeal: str = "", **context: Any) -> None:
        """The model called show_inbox; the host shows its view."""
        given = {"appeal_id": appeal} if appeal else {}
        self.page.evaluate("([given, more]) => show('show_inbox', given, more)", [given, context])
        expect(self.view.locator("#who")).not_to_be_empty(timeout=SECONDS)

    @property
    def view(self) -> FrameLocator:
        """What the hub's page is in: a frame in the frame of the sandbox."""
        return self.page.frame_locator("iframe").frame_locator("iframe")

    def open(self, name: str) -> None:
        """The conversation with this customer."""
        self.row(name).click()
        expect(self.view.get_by_role("heading", level=2)).to_have_text(name)

    def row(self, name: str) -> Any:
        """The customer's line in the list."""
        return self.view.locator("#conversations").get_by_role("button").filter(has_text=name)

    def answer(self, words: str) -> None:
        """Type and press Send."""
        self.view.get_by_label("Your answer").fill(words)
        self.press("Send")

    def press(self, name: str) -> None:
        """A button."""
        self.view.get_by_role("button", name=name, exact=True).click()

    def says(self, words: str | re.Pattern[str]) -> None:
        """Anywhere in the view."""
        said = self.view.get_by_text(words).filter(visible=True)
        expect(said.last).to_be_visible(timeout=SECONDS)

    def gone(self, words: str, within: str = "body") -> None:
        """It is not said any more."""
        said = self.view.locator(within).get_by_text(words).filter(visible=True)
        expect(said).to_have_count(0, timeout=SECONDS)

    def deeds(self) -> list[str]:
        """What is offered to do with the conversation."""
        buttons = self.view.get_by_role("group", name="What to do with the conversation").get_by_role(
            "button"
        )
        return [str(words) for words in buttons.all_inner_texts()]

    def does(self, deed: str, words: str = "") -> None:
        """Press it, say why, and mean it."""
        self.press(deed)
        asked = self.view.locator("#ask")
        asked.get_by_role("textbox").fill(words)
        asked.get_by_role("button", name=deed).click()
        self.says(f"Done: {deed}.")

    def focused(self) -> str:
        """The name in the row that the keyboard is at, else the id of what it is at."""
        said = "element => element.querySelector('.name')?.textContent ?? element.id"
        return str(self.view.locator(":focus").evaluate(said))

    def brightness(self) -> float:
        """Of the paper, from 0 to 255."""
        colour = self.view.locator("html").evaluate("element => getComputedStyle(element).backgroundColor")
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3

    def fits(self) -> bool:
        """Nothing is wider than the frame."""
        wide = "element => element.scrollWidth <= element.ownerDocument.defaultView.innerWidth"
        return bool(self.view.locator("html").evaluate(wide))

    def checked_by(self, axe: Any) -> Any:
        """What axe finds in the view."""
        inner = self.page.frames[-1]
        return axe.Axe().run(inner)

    def traffic(self, to: str = "host") -> list[dict[str, Any]]:
        """The messages so far, to the host or to the view."""
        every: list[dict[str, Any]] = self.page.evaluate("traffic")
        return [one["message"] for one in every if one["to"] == to]

    def _hear(self, said: Any) -> None:
        if said.type == "error":
            heard = self.blocked if "Content Security Policy" in said.text else self.complaints
            heard.append(said.text)


@contextmanager
def hosted(page: Page, url: str, key: str, *, packages: Path | None = None) -> Iterator[Inbox]:
    """A host that has opened nothing yet, with this key for the hub; ours, or the published one of npm."""
    with pages(packages) as origins, start_blocking_portal() as portal:
        host = "published" if packages else "host"
        yield Inbox(page, HubOfHost(portal, url, key), origins, host)


def _plain(model: Any) -> Any:
    return model.model_dump(by_alias=True, exclude_none=True, mode="json")
