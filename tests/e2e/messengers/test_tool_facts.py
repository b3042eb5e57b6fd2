"""What the annotations of a channel's tools say is so at the messenger; and what it lists comes in pages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.operations import Operation
from tests.e2e.messengers.conftest import MESSENGERS
from tests.system import System, patiently
from tests.tool_lists import tools
from tests.unit.test_tools import TAKING

pytestmark = pytest.mark.e2e

#: What they take away the other tools need.
LAST = {"block_user", "delete_message", "unsubscribe_webhook"}
SNAPSHOTS = Path(__file__).parents[2] / "snapshots" / "tools"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
#: Asked for by other means than a chat of an ordinary customer: what is known of them stands in unit tests.
ELSEWHERE = {"telegram": {"mark_message_read"}}


def annotations(messenger: str) -> dict[str, Mapping[str, bool]]:
    """Of every tool, as clients read them."""
    listed = json.loads((SNAPSHOTS / f"{messenger}.json").read_text(encoding="utf-8"))
    return {tool["name"]: tool["annotations"] for tool in listed}


@dataclass
class Shop:
    """One messenger of ours, a customer of it who has written, and a message of ours to them."""

    system: System
    messenger: str
    customer: str
    operations: Mapping[str, Operation]
    theirs: str
    chat: str = ""
    ours: str = ""

    @property
    def service(self) -> str:
        return f"mcp_{self.messenger}"

    def ask(self, name: str, given: Mapping[str, Any]) -> httpx.Response:
        """The operation behind a tool, as REST has it."""
        one = self.operations[name]
        path = one.path.format(**given)
        rest = {key: value for key, value in given.items() if f"{{{key}}}" not in one.path}
        sent: dict[str, Any] = {"params": rest} if one.method == "GET" else {"json": rest}
        return self.system.http.request(one.method, self.system.url(self.service) + path, **sent)

    def state(self) -> Any:
        """What the messenger has of the customer, and where it delivers; that we write is over by itself."""
        control = f"/control/{self.messenger}/customers"
        everybody = self.system.get("sandbox", control)["customers"]
        [person] = [one for one in everybody if one["customer"] == self.customer]
        chats = [{**chat, "typing": None} for chat in person["chats"]]
        said = self.system.get("sandbox", f"{control}/{self.customer}/messages")["messages"]
        seen = [one for one in said if one.get("type") != "reaction"]  # a row each; `marks` has the last one
        return {**person, "chats": chats}, seen, self.system.get(self.service, "/api/webhook/status")

    def listed(self, *chats: str) -> list[str]:
        """These chats by our ids; where a messenger lists none they are known once their webhook came."""
        for _ in patiently(20):
            page = self.ask("list_chats", {"limit": 100}).raise_for_status().json()
            known = {chat["chat_id"].partition("@")[0]: chat["chat_id"] for chat in page["chats"]}
            found = [known.get(chat.partition("@")[0], "") for chat in chats]
            if all(found):
                return found
        raise AssertionError(f"not listed: {chats}")

    def messages(self) -> int:
        return len(self.system.seen_by(self.customer, self.messenger))

    def arguments(self, name: str) -> dict[str, Any]:
        """A call of the tool that can succeed."""
        person = self.ask("get_chat", {"chat_id": self.chat}).json()["client_user_id"]
        urls = self.system.get(self.service, "/api/webhook/status")["urls"]
        webhook = str(urls[0]) if urls else "https://none.example"
        known: dict[str, Any] = {
            "chat_id": self.chat,
            "chat_ids": [self.chat],
            "message_id": self.theirs if name == "react" else self.ours,
            "text": f"Слова {name}",
            "emoji": "👍",
            "kind": "document",
            "file_base64": PDF,
            "file_name": "price.pdf",
            "image_base64": PIXEL,
            "phone": "+79990001122",
            "url": "https://elsewhere.example/hook"
            if name == "unsubscribe_webhook"
            else webhook.removesuffix("/***"),
            "user_id": person,
        }
        return {key: known[key] for key in self.operations[name].arguments.model_fields if key in known}


@pytest.fixture
async def shop(everything: System, stranger: str, messenger: str) -> Shop:
    written = everything.write(stranger, messenger, text="Здравствуйте")
    operations = {one.name: one for one in await tools(messenger, "all")}
    made = Shop(everything, messenger, stranger, operations, theirs=written["message_ids"][0])
    [made.chat] = made.listed(written["chat_id"])
    sent = made.ask("send_message", {"chat_id": made.chat, "text": "Добрый день!"}).raise_for_status()
    made.ours = sent.json()["message_ids"][0]
    return made


each_messenger = pytest.mark.parametrize("messenger", MESSENGERS)


@pytest.mark.promise("annotations")
@each_messenger
async def test_what_only_reads_changes_nothing_at_the_messenger(shop: Shop) -> None:
    reading = [name for name, hints in annotations(shop.messenger).items() if hints["readOnlyHint"]]
    before = shop.state()

    answers = {name: shop.ask(name, shop.arguments(name)) for name in reading}

    assert shop.state() == before
    assert {name: answer.text for name, answer in answers.items() if answer.is_error} == {}


@pytest.mark.promise("annotations")
@each_messenger
async def test_what_may_be_repeated_does_no_more_than_once(shop: Shop) -> None:
    hints = annotations(shop.messenger)
    changing = {name for name, told in hints.items() if told["idempotentHint"] and not told["readOnlyHint"]}
    tried = changing - ELSEWHERE.get(shop.messenger, set())
    for name in sorted(tried, key=lambda one: (one in LAST, one)):
        given = shop.arguments(name)
        first = shop.ask(name, given)
        once = shop.state()
        shop.ask(name, given)

        assert first.is_success, f"{name}: {first.text}"
        twice = shop.state()
        assert twice == once, name


@pytest.mark.promise("annotations")
@each_messenger
async def test_what_may_not_be_repeated_does_it_again(shop: Shop) -> None:
    sending = [name for name, hints in annotations(shop.messenger).items() if not hints["idempotentHint"]]
    for name in sending:
        before, given = shop.messages(), shop.arguments(name)
        first, second = shop.ask(name, given), shop.ask(name, given)

        assert first.is_success, f"{name}: {first.text}"
        assert second.is_success, f"{name}: {second.text}"
        assert shop.messages() == before + 2, name


@pytest.mark.promise("annotations")
@each_messenger
async def test_what_is_destructive_takes_something_away(shop: Shop) -> None:
    hints = annotations(shop.messenger)
    taking = {name for name, told in hints.items() if told["destructiveHint"]}
    assert taking == TAKING & hints.keys()
    for name in [one for one in ("edit_message", "delete_message") if one in taking]:
        before = shop.system.seen_by(shop.customer, shop.messenger)
        assert shop.ask(name, shop.arguments(name)).is_success, name
        assert shop.system.seen_by(shop.customer, shop.messenger) != before, name


@pytest.mark.promise("pages")
@each_messenger
async def test_every_chat_is_on_one_page_and_the_last_has_no_cursor(shop: Shop) -> None:
    others = [f"{shop.customer}-{number}" for number in range(3)]
    written = [shop.system.write(other, shop.messenger, text="Я тоже") for other in others]
    wanted = shop.listed(*(one["chat_id"] for one in written))
    found, cursor = [], ""
    for _ in range(200):
        page = shop.ask("list_chats", {"limit": 2, "cursor": cursor}).raise_for_status().json()
        found += [chat["chat_id"] for chat in page["chats"]]
        assert len(page["chats"]) <= 2
        if not (cursor := page["next_cursor"]):
            break

    assert cursor == ""
    assert {shop.chat, *wanted} <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.promise("pages")
@each_messenger
async def test_a_wrong_cursor_and_too_large_a_page_are_refused_by_name(shop: Shop) -> None:
    for name in sorted({"list_chats", "list_messages"} & shop.operations.keys()):
        given = {"chat_id": shop.chat} if name == "list_messages" else {}
        wrong = shop.ask(name, {**given, "cursor": "rubbish"})
        large = shop.ask(name, {**given, "limit": 101})

        assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_cursor"), wrong.text
        assert (large.status_code, large.json()["errors"][0]["field"]) == (422, "limit")
