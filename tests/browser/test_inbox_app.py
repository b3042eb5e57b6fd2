"""The inbox as clients show it that show apps: in a host made by the specification, over the real hub."""

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import redis
from anyio.from_thread import start_blocking_portal

from core.keys import Keys
from launcher.engines import Engines
from tests.e2e.agent import shown
from tests.engines_fixture import database, empty_redis
from tests.system import System, patiently, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.inbox import Inbox

pytestmark = pytest.mark.e2e

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
RECORD = Path(__file__).parent / "app_messages.json"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def system(
    chromium: "Browser", engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """One messenger and no agent: people answer."""
    folder = tmp_path_factory.mktemp("inbox")
    with database(engines) as url:
        # Names come from the messenger, which may be slow on a busy machine. No turn ends by its time.
        made = System(
            folder,
            redis_url=empty_redis(engines),
            database_url=url,
            ENRICHMENT_SECONDS="15",
            TURN_LEASE_SECONDS="120",
        )
        with running(made):
            made.start_all()
            yield made


@pytest.fixture
def host(chromium: "Browser", system: System) -> Iterator[Callable[..., "Inbox"]]:
    """Opens hosts; what they show must not complain, nor try what its policy forbids."""
    from tests.browser.inbox import hosted

    made: list[Inbox] = []
    with ExitStack() as stack:

        def open_host(key: str = "operator", *, packages: Path | None = None, **options: Any) -> "Inbox":
            window = stack.enter_context(chromium.new_context(**options))
            url = f"{system.url('orchestrator')}/mcp"
            opened = hosted(window.new_page(), url, system.keys[key], packages=packages)
            made.append(stack.enter_context(opened))
            return made[-1]

        yield open_host
        assert [one.complaints + one.blocked for one in made] == [[]] * len(made)


@pytest.fixture
def customer() -> str:
    """Somebody who has never written before."""
    return f"customer-{next(_numbers)}"


def written(system: System, customer: str, text: str) -> str:
    """The customer has written and been silent: the case of the turn that waits."""
    system.write(customer, text=text)
    return waiting(system, customer)


def waiting(system: System, customer: str) -> str:
    """The case of the turn of the customer, once it waits."""
    for _ in patiently(20):
        for line in system.get("orchestrator", "/api/inbox")["conversations"]:
            if line["client_name_untrusted"] == customer and line["waiting_since"]:
                return str(line["appeal_id"])
    raise AssertionError(f"{customer} does not wait")


@pytest.mark.promise("inbox-app")
def test_a_person_reads_who_waits_and_answers(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    written(system, customer, "Сколько стоит экран?")
    inbox = host()
    inbox.show()
    assert "waits" in inbox.row(customer).inner_text()

    inbox.open(customer)
    inbox.says("Сколько стоит экран?")
    inbox.says("You write as a person. What you send pauses the AI here for 30 min.")
    inbox.answer("3 500 ₽, приезжайте.")

    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["3 500 ₽, приезжайте."]
    inbox.says("3 500 ₽, приезжайте.")
    inbox.says("sent")
    inbox.says("operator has it until")


def test_a_person_answers_in_the_host_that_is_published_for_hosts(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    """AppBridge of npm's ext-apps: `make conformance` puts it where `make browser` finds it."""
    packages = Path(os.environ.get("ELDOLEADO_FOREIGN", "")).absolute() / "npm" / "node_modules"
    if not (packages / "@modelcontextprotocol" / "ext-apps").is_dir():
        pytest.skip("`make conformance` installs the published host, where there is a Node.js")
    case = written(system, customer, "Сколько стоит экран?")
    inbox = host(packages=packages)
    inbox.show(case, theme="dark")
    inbox.says("Сколько стоит экран?")
    inbox.answer("3 500 ₽, приезжайте.")

    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["3 500 ₽, приезжайте."]
    assert inbox.brightness() < 60


@pytest.mark.promise("inbox-once")
def test_pressing_often_sends_once(host: Callable[..., "Inbox"], system: System, customer: str) -> None:
    written(system, customer, "Когда готово?")
    inbox = host()
    inbox.show()
    inbox.open(customer)
    text = inbox.view.get_by_label("Your answer")
    text.fill("Завтра в три.")
    inbox.view.locator("#send").dblclick()
    text.press("Control+Enter")
    text.press("Control+Enter")

    inbox.says("Accepted for sending.")
    assert [name for name, _ in inbox.hub.calls].count("send_message") == 1
    assert shown(system, customer, 1) == ["Завтра в три."]


@pytest.mark.promise("inbox-once")
def test_what_nobody_knows_to_be_sent_is_sent_again_once(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Когда готово?")
    inbox = host()
    inbox.show(case)
    inbox.hub.lose.add("send_message")
    inbox.answer("Завтра в три.")
    inbox.says("nobody knows whether it was accepted")
    assert inbox.view.get_by_label("Your answer").is_editable() is False

    inbox.hub.lose.clear()
    inbox.press("Send again")

    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["Завтра в три."]
    said = system.get("orchestrator", "/api/inbox", appeal_id=case)["messages"]
    assert [one["text_untrusted"] for one in said if one["sender"] == "operator"] == ["Завтра в три."]
    keys = [given["idempotency_key"] for name, given in inbox.hub.calls if name == "send_message"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_the_same_words_meant_twice_are_sent_twice(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Алло?")
    inbox = host()
    inbox.show(case)
    for _ in range(2):
        inbox.answer("Да, слушаю.")
        inbox.says("Accepted for sending.")

    assert shown(system, customer, 2) == ["Да, слушаю."] * 2


@pytest.mark.promise("inbox-harmless")
def test_hostile_words_stay_words(host: Callable[..., "Inbox"], system: System, customer: str) -> None:
    case = written(system, customer, HOSTILE)
    system.write(customer, text="[тут](javascript:alert(3)) \u202eотговорот\u202c")
    inbox = host()
    inbox.show(case)
    inbox.says(HOSTILE)
    inbox.says("[тут](javascript:alert(3)) отговорот")

    assert inbox.view.locator("img, iframe, a, main script").count() == 0
    assert inbox.page.evaluate("opened") == []


@pytest.mark.promise("inbox-harmless")
def test_only_https_opens_and_only_through_the_host(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    pictures = ["javascript:alert(4)", "http://plain.invalid/1.jpg", "https://files.invalid/1.jpg"]
    queue_message(system, customer, pictures)
    inbox = host()
    inbox.show()
    inbox.open(customer)
    inbox.says("File: javascript:alert(4)")
    inbox.says("File: http://plain.invalid/1.jpg")
    inbox.press("Open files.invalid")

    inbox.page.wait_for_function("opened.length === 1")
    assert inbox.page.evaluate("opened") == ["https://files.invalid/1.jpg"]


def queue_message(system: System, customer: str, pictures: list[str]) -> None:
    """A producer of another make puts a message with these pictures on the queue; it waits then."""
    message = {
        "channel": "avito",
        "external_user_id": customer,
        "external_chat_id": f"chat-{customer}",
        "external_message_id": customer,
        "text": "Вот фото",
        "timestamp": "2026-11-22T10:00:00Z",
        "client_name": customer,
        "media": {"has_images": True, "images": [{"url": url} for url in pictures]},
    }
    with redis.Redis.from_url(system.environment("orchestrator")["REDIS_URL"]) as queue:
        queue.rpush(Keys().incoming.source, json.dumps(message))
    waiting(system, customer)


def test_a_hub_that_is_away_is_said_so_and_looked_for(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Вы тут?")
    inbox = host()
    inbox.show(case)
    inbox.view.get_by_label("Your answer").fill("Тут.")
    system.stop("orchestrator")
    inbox.press("Refresh")
    inbox.says("The hub does not answer.")
    inbox.press("Send")
    inbox.says("nobody knows whether it was accepted")

    system.start("orchestrator")
    inbox.press("Try now")
    inbox.gone("The hub does not answer.")
    inbox.press("Send again")

    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["Тут."]


@pytest.mark.promise("inbox-rights")
def test_a_person_takes_over_notes_gives_back_and_closes(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Хочу человека")
    inbox = host()
    inbox.show(case)
    inbox.does("Take over", "спор о цене")
    inbox.says("operator has it until")
    inbox.says("спор о цене")
    inbox.does("Add a note", "просит скидку")
    inbox.says("просит скидку")
    inbox.does("Give back to the AI")
    inbox.gone("operator has it until", "#talk")
    inbox.does("Close the case", "договорились")
    inbox.says(re.compile("· closed"))

    [line] = system.get("orchestrator", "/api/inbox", appeal_id=case)["conversations"]
    assert (line["status"], line["paused"]) == ("resolved", False)


@pytest.mark.promise("inbox-rights")
def test_an_agents_key_answers_as_the_ai_and_takes_the_turn_first(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Сколько стоит экран?")
    inbox = host("agent")
    inbox.show(case)
    inbox.says("what you send goes out as the AI's words")
    assert inbox.deeds() == ["Hand over to a person", "Add a note", "Close the case"]
    inbox.answer("3 500 ₽.")

    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["3 500 ₽."]
    [line] = system.get("orchestrator", "/api/inbox", appeal_id=case)["conversations"]
    assert (line["waiting_since"], line["paused"], line["last_sender"]) == ("", False, "agent")


@pytest.mark.promise("inbox-rights")
def test_an_agents_key_answers_on_when_the_customer_has_written_on(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    """The turn is this key's then, and its own name must not shut it out."""
    case = written(system, customer, "Сколько стоит экран?")
    inbox = host("agent")
    inbox.show(case)
    inbox.hub.meanwhile["reply"] = lambda: written_on(system, customer, case, "И чехол")
    inbox.answer("3 500 ₽.")
    inbox.says("Not sent: the customer wrote on meanwhile.")
    inbox.view.locator("#messages").get_by_text("И чехол").wait_for()

    assert line_of(system, case)["taken_by"] == "agent"
    assert inbox.view.get_by_label("Your answer").input_value() == "3 500 ₽."
    assert inbox.deeds() == ["Hand over to a person", "Add a note", "Close the case"]
    inbox.answer("3 500 ₽, чехол 900 ₽.")
    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["3 500 ₽, чехол 900 ₽."]


@pytest.mark.promise("inbox-rights")
def test_an_answer_that_is_given_up_gives_its_turn_back(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Сколько стоит экран?")
    inbox = host("agent")
    inbox.show(case)
    inbox.hub.meanwhile["reply"] = never_arrives
    inbox.answer("3 500 ₽.")
    inbox.says("nobody knows whether it was accepted")
    taken = line_of(system, case)["taken_by"]
    inbox.press("Write another one")

    assert taken == "agent"
    is_free(inbox, system, case)
    inbox.answer("4 000 ₽.")
    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["4 000 ₽."]


@pytest.mark.promise("inbox-rights")
def test_a_handing_over_that_fails_gives_the_turn_back(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Позовите человека")
    inbox = host("agent")
    inbox.show(case)
    inbox.hub.meanwhile["hand_off"] = never_arrives
    inbox.press("Hand over to a person")
    asked = inbox.view.locator("#ask")
    asked.get_by_role("textbox").fill("просит человека")
    asked.get_by_role("button", name="Hand over to a person").click()
    inbox.says("nobody knows whether it was done")

    is_free(inbox, system, case)
    inbox.show(case)
    inbox.does("Hand over to a person", "просит человека")
    inbox.says("agent handed it over: it waits for a person until")


@pytest.mark.promise("inbox-rights")
def test_what_waits_for_a_yes_is_sent_all_the_same_by_a_button(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    """The yes is to these words: after a change it is asked for again."""
    case = written(system, customer, "Сколько стоит экран?")
    inbox = host("agent")
    inbox.show(case)
    inbox.answer("3 500 ₽.")
    inbox.says("Accepted for sending.")
    assert shown(system, customer, 1) == ["3 500 ₽."]
    inbox.gone("you take the turn that waits", "#answer")
    came_another_way(system, case)
    anyway = inbox.view.get_by_role("button", name="Send all the same")

    inbox.answer("Готово.")
    inbox.says(f"in this chat (avito, {line_of(system, case)['chat_id']}) nobody has written to us yet")
    anyway.wait_for()
    inbox.view.get_by_label("Your answer").fill("Готово, приходите.")
    anyway.wait_for(state="hidden")
    inbox.press("Send")
    anyway.click()
    inbox.view.locator("#messages").get_by_text("Готово, приходите.").wait_for()

    assert shown(system, customer, 2) == ["3 500 ₽.", "Готово, приходите."]
    tokens = [bool(given.get("confirm_token")) for name, given in inbox.hub.calls if name == "send_message"]
    assert tokens == [False, False, True]


def never_arrives() -> None:
    raise ConnectionError("the call was lost")


def line_of(system: System, case: str) -> dict[str, Any]:
    """The case in the inbox."""
    [line] = system.get("orchestrator", "/api/inbox", appeal_id=case)["conversations"]
    return dict(line)


def written_on(system: System, customer: str, case: str, text: str) -> None:
    """The customer has written once more, and the hub knows it."""
    system.write(customer, text=text)
    for _ in patiently(20):
        said = system.get("orchestrator", "/api/inbox", appeal_id=case)["messages"]
        if text in [one["text_untrusted"] for one in said]:
            return
    raise AssertionError(f"{text} did not come")


def is_free(inbox: "Inbox", system: System, case: str) -> None:
    """The turn waits, and nobody has it, once the page's own calls have been let through."""
    for _ in patiently(20):
        inbox.page.evaluate("0")
        line = line_of(system, case)
        if line["turn_id"] and not line["taken_by"]:
            return
    raise AssertionError(f"{line['taken_by'] or 'nobody'} has it")


def came_another_way(system: System, case: str) -> None:
    """As if the customer had filled in a form and were answered here: they never wrote in this chat."""
    url = system.environment("orchestrator")["DATABASE_URL"]

    async def moved() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(
                "UPDATE messages_history SET channel = 'form' WHERE appeal_id = $1 AND sender = 'customer'",
                int(case),
            )
        finally:
            await connection.close()

    with start_blocking_portal() as portal:
        portal.call(moved)


@pytest.mark.promise("inbox-rights")
def test_an_agents_key_is_silent_once_a_person_has_the_conversation(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    case = written(system, customer, "Позовите человека")
    inbox = host("agent")
    inbox.show(case)
    inbox.does("Hand over to a person", "просит человека")

    inbox.says("A person has this conversation. An agent's key may not write here.")
    inbox.says("agent handed it over: it waits for a person until")
    assert inbox.view.get_by_label("Your answer").is_hidden()
    assert inbox.deeds() == ["Add a note"]


def test_a_keyboard_is_enough(host: Callable[..., "Inbox"], system: System, customer: str) -> None:
    written(system, customer, "Можно сегодня?")
    inbox = host()
    inbox.show()
    keys = inbox.page.keyboard
    inbox.view.get_by_role("button", name="Refresh").focus()
    while inbox.focused() != customer:
        keys.press("Tab")
    keys.press("Enter")
    inbox.says("You write as a person.")
    while inbox.focused() != "text":
        keys.press("Tab")
    keys.type("Да, до восьми.")
    keys.press("Control+Enter")
    inbox.says("Accepted for sending.")
    keys.press("Escape")

    assert inbox.focused() == customer
    assert shown(system, customer, 1) == ["Да, до восьми."]


def test_the_theme_and_the_language_are_the_hosts(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    written(system, customer, "Добрый день")
    inbox = host()
    inbox.show(theme="dark", locale="ru-RU")
    inbox.says("Входящие")
    dark = inbox.brightness()
    inbox.page.evaluate("change({ theme: 'light', locale: 'en-GB' })")
    inbox.says("Refresh")

    assert dark < 60
    assert inbox.brightness() > 200


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
    host: Callable[..., "Inbox"],
    system: System,
    customer: str,
    language: str,
    scheme: str,
    width: int,
    height: int,
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    case = written(system, customer, f"Экран {'длинный' * 30}")
    system.post("orchestrator", f"/api/appeals/{case}/notes", {"text": "заметка" * 30})
    inbox = host(viewport={"width": width, "height": height})
    for appeal in ("", case):
        inbox.show(appeal, theme=scheme, locale=language)
        found = inbox.checked_by(axe)
        assert found.violations_count == 0, found.generate_report()
        assert inbox.fits()


def test_a_view_that_is_put_away_asks_no_more(
    host: Callable[..., "Inbox"], system: System, customer: str
) -> None:
    written(system, customer, "Добрый день")
    inbox = host()
    inbox.show()
    inbox.open(customer)
    inbox.view.locator("#messages").get_by_text("Добрый день").wait_for()
    inbox.page.evaluate("leave()")
    inbox.page.wait_for_function("traffic.some((one) => one.to === 'host' && one.message.id === 4711)")
    asked = len(inbox.hub.calls)
    inbox.press("Refresh")
    inbox.view.get_by_label("Your answer").press("Tab")

    assert len(inbox.hub.calls) == asked


def test_the_messages_are_as_recorded(host: Callable[..., "Inbox"], system: System, customer: str) -> None:
    """tests/conformance checks the record against the published schemas. UPDATE_SNAPSHOTS=1 renews it."""
    queue_message(system, customer, ["https://files.invalid/1.jpg"])
    inbox = host()
    inbox.show(availableDisplayModes=["inline", "fullscreen"])
    inbox.open(customer)
    inbox.press("Open files.invalid")
    inbox.press("Full screen")
    inbox.page.evaluate("change({ displayMode: 'fullscreen' })")
    inbox.gone("Full screen")
    inbox.page.evaluate("leave()")
    inbox.page.wait_for_function("traffic.some((one) => one.to === 'host' && one.message.id === 4711)")

    found = kinds_of(inbox.page.evaluate("traffic"))
    if os.environ.get("UPDATE_SNAPSHOTS"):
        RECORD.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    assert shapes(found["host"]) == shapes(recorded["host"])
    assert found["view"].keys() == recorded["view"].keys()


def kinds_of(traffic: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """{to whom: {method, or "answer to" a method: the first such message}}."""
    asked = {
        (one["to"], one["message"]["id"]): one["message"]["method"] for one in traffic if is_request(one)
    }
    found: dict[str, dict[str, Any]] = {"host": {}, "view": {}}
    for one in traffic:
        message = one["message"]
        other = "view" if one["to"] == "host" else "host"
        kind = message.get("method") or f"answer to {asked[other, message['id']]}"
        found[one["to"]].setdefault(kind, message)
    return found


def is_request(one: dict[str, Any]) -> bool:
    return "id" in one["message"] and "method" in one["message"]


def shapes(value: Any) -> Any:
    """Names and types, without what was said."""
    if isinstance(value, dict):
        return {key: shapes(one) for key, one in sorted(value.items())}
    return [shapes(one) for one in value] if isinstance(value, list) else type(value).__name__
