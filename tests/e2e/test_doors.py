"""Bad input at every door of the running system: a clear answer, nothing lost, nothing crashed."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis

from core.keys import Keys
from tests.e2e.agent import delivered, reply, shown, turn_of
from tests.e2e.database import select
from tests.system import System, patiently

pytestmark = pytest.mark.e2e

KEYS = Keys()


@pytest.fixture
def queue(system: System) -> Iterator["redis.Redis"]:
    """The system's own Redis."""
    with redis.Redis.from_url(system.environment("orchestrator")["REDIS_URL"]) as client:
        yield client


@pytest.fixture
def webhook(system: System) -> Iterator[httpx.Client]:
    """Posts to our webhook of Avito, with the right secret unless the path says otherwise."""
    base = f"{system.url('mcp_avito')}/webhook/avito/default/"
    with httpx.Client(base_url=base, timeout=20) as client:
        yield client
    assert system.http.get(f"{system.url('mcp_avito')}/health").is_success


def test_a_wrong_secret_is_401_without_a_hint(webhook: httpx.Client, queue: "redis.Redis") -> None:
    """Nothing is kept of a stranger's request."""
    before = _letters(queue, "webhook:avito")

    answer = webhook.post("not-the-secret-of-this-shop", json={"id": "x"})

    assert answer.status_code == 401
    assert "secret" not in answer.text.lower()
    assert _letters(queue, "webhook:avito") == before


@pytest.mark.promise("bad-input")
def test_a_malformed_body_is_stored_as_a_dead_letter(
    system: System, webhook: httpx.Client, queue: "redis.Redis"
) -> None:
    """200 means stored: the vendor must not repeat it for ever."""
    before = _letters(queue, "webhook:avito")
    headers = {"content-type": "application/json"}

    answer = webhook.post(system.webhook_secret, content='{"id": "wh-1", "payl', headers=headers)

    assert answer.status_code == 200
    [letter] = _letters(queue, "webhook:avito")[len(before) :]
    assert letter["reason"] == "unreadable_json"
    assert letter["payload"] == '{"id": "wh-1", "payl'


def test_ten_megabytes_are_413(system: System, webhook: httpx.Client) -> None:
    """Refused before they are read."""
    assert webhook.post(system.webhook_secret, content=b"x" * 10_000_000).status_code == 413


def test_another_content_type_is_415(system: System, webhook: httpx.Client) -> None:
    """What is no JSON and says so."""
    headers = {"content-type": "image/png"}

    assert webhook.post(system.webhook_secret, content=b"\x89PNG", headers=headers).status_code == 415


def test_an_unknown_kind_of_content_is_a_dead_letter(
    system: System, webhook: httpx.Client, queue: "redis.Redis"
) -> None:
    """A new kind of message is kept until somebody teaches us to read it."""
    before = _letters(queue, "webhook:avito")
    event = {"id": "wh-9", "payload": {"type": "hologram", "value": {}}}

    assert webhook.post(system.webhook_secret, json=event).status_code == 200
    assert len(_letters(queue, "webhook:avito")) == len(before) + 1


@pytest.mark.promise("bad-input")
def test_unreadable_json_on_the_incoming_list_is_a_dead_letter(
    system: System, queue: "redis.Redis", customer: str
) -> None:
    """It does not stop the messages behind it."""
    before = _letters(queue, "incoming")

    queue.rpush(KEYS.incoming.source, "not json", json.dumps({"channel": "pager"}), b"\xff\xfe")
    system.write(customer, text="Я за сломанным сообщением")

    reply(system, turn_of(system, customer), "Вижу вас.")
    letters = _letters(queue, "incoming")[len(before) :]
    assert [letter["reason"] for letter in letters] == ["unreadable"] * 3
    assert any("channel: Value error, unknown channel" in letter["detail"] for letter in letters)


@pytest.mark.promise("foreign")
def test_a_foreign_producer_needs_the_documented_fields_only(system: System, queue: "redis.Redis") -> None:
    """An n8n flow that knows the first contract keeps working, odd ids and half an emoji included."""
    name = f"{uuid.uuid4().hex[:8]} Ё"
    message = {
        "channel": "vk",
        "external_user_id": 77,
        "external_chat_id": "peer 77/{a}:b@c",
        "external_message_id": f"m/{uuid.uuid4().hex}",
        "text": "привет\x00 \ud83d",
        "timestamp": "2026-11-22T10:00:00",
        "client_name": name,
        "client_phone": None,
        "media": {
            "has_voice": False,
            "voice_url": None,
            "has_images": True,
            "images": [{"url": "http://x/1"}],
        },
        "meta": {"ad_channel": "vk", "ad_id": None, "raw": {}},
    }

    queue.rpush(KEYS.incoming.source, json.dumps(message))

    turn = turn_of(system, name)
    assert turn["chat_id"] == "peer 77/{a}:b@c"
    assert turn["can_reply"] is False
    assert turn["messages"][0]["text_untrusted"] == "привет \ufffd"
    assert turn["messages"][0]["image_urls"] == ["http://x/1"]
    lease = {"lease_token": turn["lease_token"], "reason": "nobody serves this channel here"}
    assert system.post("orchestrator", f"/api/turns/{turn['turn_id']}/skip", lease)["status"] == "closed"


def test_a_text_of_100_000_characters_is_a_turn_like_any_other(system: System, queue: "redis.Redis") -> None:
    """It is stored whole; test_mcp.py shows what a model sees of it."""
    name = uuid.uuid4().hex[:12]
    message = {
        "channel": "avito",
        "external_user_id": name,
        "external_chat_id": f"chat-{name}",
        "external_message_id": name,
        "text": "я" * 100_000,
        "timestamp": "2026-11-22T10:00:00Z",
        "client_name": name,
    }

    queue.rpush(KEYS.incoming.source, json.dumps(message))

    turn = turn_of(system, name)
    assert len(turn["messages"][0]["text_untrusted"]) == 100_000
    lease = {"lease_token": turn["lease_token"]}
    system.post("orchestrator", f"/api/turns/{turn['turn_id']}/skip", lease)


def test_anyone_may_push_a_message_to_send(system: System, queue: "redis.Redis", customer: str) -> None:
    """Three fields are enough; a repeated idempotency key is one message."""
    chat = system.write(customer, text="Жду новостей")["chat_id"]
    reply(system, turn_of(system, customer), "Сообщим.")
    shown(system, customer, 1)
    message = {"channel": "avito", "external_chat_id": chat, "text": "Готово!", "idempotency_key": chat}

    for _ in range(3):
        queue.rpush(KEYS.outgoing.source, json.dumps(message))
    queue.rpush(KEYS.outgoing.source, json.dumps(message | {"text": "Приходите.", "idempotency_key": None}))

    assert shown(system, customer, 3) == ["Сообщим.", "Готово!", "Приходите."]


@pytest.mark.promise("bad-input")
@pytest.mark.parametrize(
    "body",
    [
        "{",
        json.dumps({"channel": "avito", "external_chat_id": "c"}),
        json.dumps({"channel": "avito", "external_chat_id": "c", "text": "  "}),
        json.dumps({"channel": "avito", "external_chat_id": "", "text": "t"}),
        json.dumps({"channel": "pager", "external_chat_id": "c", "text": "t"}),
        json.dumps({"channel": "avito", "external_chat_id": "c", "text": "я" * 100_000}),
        json.dumps(["avito"]),
    ],
    ids=["no json", "no text", "blank text", "no chat", "unknown channel", "too long", "a list"],
)
def test_what_cannot_be_sent_is_a_dead_letter(queue: "redis.Redis", body: str) -> None:
    """Kept whole, with the reason."""
    before = queue.hlen(KEYS.outgoing.dead)

    queue.rpush(KEYS.outgoing.source, body)

    for _ in patiently(10):
        if queue.hlen(KEYS.outgoing.dead) > before:
            break
    assert _letters(queue, "outgoing")[-1]["payload"] == body


def test_a_chat_that_does_not_exist_fails_by_name(system: System) -> None:
    """Avito says 404; so do we, and the message is in the dead letters."""
    body = {"channel": "avito", "chat_id": "no such chat/{x}", "text": "Кто здесь?"}
    queued = system.post("orchestrator", "/api/messages/send", body)

    assert delivered(system, queued["delivery_id"], state="failed")["error_code"] == "not_found"


@pytest.mark.promise("closed")
@pytest.mark.parametrize("name", ["mcp_avito", "orchestrator"])
@pytest.mark.parametrize("path", ["/info", "/metrics", "/api/messages/send", "/mcp"])
def test_no_route_opens_without_its_key(system: System, name: str, path: str) -> None:
    """401 for no key and for a wrong one, in the same words."""
    method = "POST" if path in ("/api/messages/send", "/mcp") else "GET"
    answers = [
        httpx.request(method, system.url(name) + path, headers=headers, json={})
        for headers in ({}, {"X-API-Key": "x" * 40}, {"Authorization": "Bearer " + "x" * 40})
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]


def test_a_bad_request_names_the_field(system: System) -> None:
    """RFC 9457, for a missing field, a wrong one and an unknown one."""
    url = system.url("mcp_avito") + "/api/messages/send"

    answer = system.http.post(url, json={"chat_id": "", "txt": "?"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["field"] for error in answer.json()["errors"]} == {"chat_id", "text", "txt"}


@pytest.mark.promise("form")
def test_a_form_opens_an_appeal_of_the_client_with_that_phone(system: System) -> None:
    """The phone is normalised; the same phone is the same client."""
    name = f"Форма {uuid.uuid4().hex[:8]}"
    number = f"9{uuid.uuid4().int % 10**9:09d}"
    url = system.url("form_api")
    form = {"phone": f"8 ({number[:3]}) {number[3:6]}-{number[6:]}", "name": name, "form_id": "repair"}
    quiz = {**form, "quiz_answers": [{"question": "Что сломалось?", "answer": "Экран"}]}

    assert httpx.post(f"{url}/api/submit", json=form).json()["ok"] is True
    first = turn_of(system, name)
    lease = {"lease_token": first["lease_token"]}
    system.post("orchestrator", f"/api/turns/{first['turn_id']}/skip", lease)
    assert httpx.post(f"{url}/api/quiz", json=quiz).json()["ok"] is True
    second = turn_of(system, name)
    lease = {"lease_token": second["lease_token"]}
    system.post("orchestrator", f"/api/turns/{second['turn_id']}/skip", lease)

    assert first["client_phone"] == second["client_phone"] == f"+7{number}"
    assert first["appeal_id"] == second["appeal_id"]
    assert "Экран" in second["messages"][0]["text_untrusted"]


@pytest.mark.promise("truth")
def test_the_documented_keys_and_tables_tell_the_truth(
    system: System, queue: "redis.Redis", customer: str
) -> None:
    """What an operator sees in redis-cli while a chat gathers, and in psql afterwards."""
    chat = system.write(customer, text="Сколько стоит?")["chat_id"]
    for _ in patiently(5, every=0.01):
        if queue.exists(KEYS.incoming.items + f"avito:{chat}"):
            break
    gathering = [queue.type(name) for name in (f"queue:batch:avito:{chat}", f"last_seen:avito:{chat}")]
    due = queue.zscore(KEYS.incoming.deadlines, f"avito:{chat}")
    turn = turn_of(system, customer)
    reply(system, turn, "Недорого.")
    shown(system, customer, 1)

    assert gathering == [b"list", b"string"]
    assert due
    clients = select(system, "SELECT id, telegram_id, avito_id, vk_id, whatsapp_id, phone, name FROM clients")
    appeals = select(system, "SELECT id, channel, external_chat_id, status FROM appeals")
    history = select(
        system, "SELECT id, channel, message_type, message_text, external_chat_id FROM messages_history"
    )
    assert next(row for row in clients if row[0] == turn["client_id"])[-1] == customer
    assert [turn["appeal_id"], "avito", chat, "waiting_client"] in appeals
    said = [row[1:] for row in history if row[-1] == chat]
    assert said == [["avito", "text", "Сколько стоит?", chat], ["avito", "text", "Недорого.", chat]]


def _letters(queue: "redis.Redis", door: str) -> list[dict[str, Any]]:
    stored: Any = queue.hgetall(KEYS.dead(door))
    return [json.loads(stored[name]) for name in sorted(stored)]
