"""What a vendor, or a stranger, can throw at the webhook, and what is stored of it."""

import asyncio
import base64
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.deadletters import DeadLetter, DeadLetters
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.inbox import Inbox
from core.testing import FAKE_LIMITS, FakeChannel
from core.webhook import webhook_routes
from tests.integration.intake_fixture import KEYS, connect, line_to, open_inbox, queued

SECRET, SHOP_SECRET = "default-path-secret", "shop-path-secret"
HOOK = f"/webhook/avito/default/{SECRET}"
DOOR = "webhook:avito"
MESSAGE = {"id": "m1", "chat": "c1", "text": "Цена?"}


class Service:
    """The webhook of a channel with two accounts."""

    def __init__(self, redis: Redis, inbox: Inbox) -> None:
        accounts = {
            DEFAULT_ACCOUNT: FakeChannel(secret=SECRET),
            AccountId("shop"): FakeChannel(secret=SHOP_SECRET, account=AccountId("shop")),
        }
        self.outcomes: Counter[str] = Counter()
        self.inbox = inbox
        self._dead = DeadLetters(redis, KEYS)
        self.app = Starlette(routes=webhook_routes("avito", accounts, inbox, self._dead, count=self._count))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://service")

    async def post(self, body: Any, path: str = HOOK, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.post(
            path, content=content, headers={"content-type": "application/json"} | named
        )

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path)

    async def letters(self) -> list[DeadLetter]:
        return await self._dead.list(DOOR)

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] += 1


@asynccontextmanager
async def serving(redis_url: str, folder: Path, **settings: Any) -> AsyncIterator[Service]:
    async with open_inbox(redis_url, folder, **settings) as inbox, connect(redis_url) as redis:
        yield Service(redis, inbox)


async def test_a_message_is_queued_and_thanked_for(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.post(MESSAGE)

        assert (answer.status_code, answer.json()) == (200, {"ok": True})
        assert service.outcomes == {"queued": 1}
    assert await queued(redis_url) == ["Цена?"]


@pytest.mark.promise("repeat")
async def test_five_repeats_are_one_message(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        answers = await asyncio.gather(*(service.post(MESSAGE) for _ in range(5)))

        assert {answer.status_code for answer in answers} == {200}
        assert service.outcomes == {"queued": 1, "repeated": 4}
    assert await queued(redis_url) == ["Цена?"]


async def test_each_account_has_its_own_secret(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.post(MESSAGE, f"/webhook/avito/shop/{SHOP_SECRET}")
        wrong = await service.post(MESSAGE, f"/webhook/avito/shop/{SECRET}")

        assert (answer.status_code, wrong.status_code) == (200, 401)


@pytest.mark.parametrize(
    "path",
    [
        "/webhook/avito",
        "/webhook/avito/default",
        "/webhook/avito/default/wrong",
        "/webhook/avito/default/%D0%BA%D0%BB%D1%8E%D1%87",
        f"/webhook/avito/nobody/{SECRET}",
        f"/webhook/avito/DEFAULT/{SECRET}",
    ],
)
@pytest.mark.parametrize("body", [MESSAGE, b"{", b"", {}])
async def test_a_wrong_address_is_told_nothing_and_stores_nothing(
    redis_url: str, tmp_path: Path, path: str, body: Any
) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.post(body, path)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.content == (await service.post(MESSAGE, "/webhook/avito/default/x")).content
        assert await service.letters() == []
    assert await queued(redis_url) == []


async def test_an_empty_body_is_refused(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.post(b"")

        assert (answer.status_code, answer.json()["code"]) == (400, "empty_body")


async def test_the_owners_check_of_the_address_is_answered_and_not_stored(
    redis_url: str, tmp_path: Path
) -> None:
    async with serving(redis_url, tmp_path) as service:
        assert (await service.post({})).json() == {"ok": True}
        assert await service.letters() == []
    assert await queued(redis_url) == []


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.avito+json; charset=x", ""])
@pytest.mark.parametrize("body", [b"{", b"<html>", b"\xff\x00", b"[" * 5000, b'{"a": NaN}'])
async def test_an_unreadable_body_is_kept_whole_and_thanked_for(
    redis_url: str, tmp_path: Path, body: bytes, content_type: str
) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.post(body, content_type=content_type)

        assert answer.status_code == 200
        [letter] = await service.letters()
        assert (letter.reason, letter.raw) == ("unreadable_json", body)
        assert service.outcomes == {"dead_letter": 1}


async def test_a_body_that_does_not_even_claim_to_be_json_is_kept_and_refused(
    redis_url: str, tmp_path: Path
) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.post(b"text=hello", content_type="application/x-www-form-urlencoded")

        assert (answer.status_code, answer.json()["code"]) == (415, "not_json")
        assert [letter.raw for letter in await service.letters()] == [b"text=hello"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "nonsense"])
async def test_json_is_json_whatever_the_header_says(
    redis_url: str, tmp_path: Path, content_type: str
) -> None:
    async with serving(redis_url, tmp_path) as service:
        await service.post(MESSAGE, content_type=content_type)

    assert await queued(redis_url) == ["Цена?"]


@pytest.mark.parametrize("body", [{"type": "typing"}, [], [1], "text", 0, None, {"": {}}])
async def test_what_nobody_knows_is_kept_and_thanked_for(redis_url: str, tmp_path: Path, body: Any) -> None:
    async with serving(redis_url, tmp_path) as service:
        assert (await service.post(body)).status_code == 200

        [letter] = await service.letters()
        assert (letter.reason, letter.detail) == ("unknown_payload", "not a message")
        assert json.loads(letter.raw) == body


DEEP: Any = json.loads("[" * 300 + "]" * 300)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({"break": True}, "RuntimeError"),
        (MESSAGE | {"id": ["a"]}, "ValidationError"),
        (MESSAGE | {"deep": DEEP}, "ValidationError"),
    ],
)
async def test_a_body_that_breaks_our_code_is_kept_and_the_fault_logged(
    redis_url: str, tmp_path: Path, body: Any, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(redis_url, tmp_path) as service:
        assert (await service.post(body)).status_code == 200

        [letter] = await service.letters()
        assert (letter.reason, letter.detail) == ("normalize_failed", cause)
    logged = capsys.readouterr().out
    assert "Traceback" in logged
    assert SECRET not in logged


async def test_deep_nesting_with_half_an_emoji_is_kept(redis_url: str, tmp_path: Path) -> None:
    body = b"[" * 700 + rb'"\ud83d"' + b"]" * 700
    async with serving(redis_url, tmp_path) as service:
        assert (await service.post(body)).status_code == 200
        assert len(await service.letters()) == 1


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d", "я" * 100_000, "", "{braces} /slash\\ 'quote'"])
async def test_a_wild_text_is_still_a_message(redis_url: str, tmp_path: Path, text: str) -> None:
    async with serving(redis_url, tmp_path) as service:
        await service.post(MESSAGE | {"text": text})

    assert await queued(redis_url) == [text.replace("\x00", "").replace("\ud83d", "�")]


@pytest.mark.parametrize("chat", ["a b", "../../etc", "{x}", "a:b@c", "чат 🙂", "%2F", "*"])
async def test_a_wild_chat_id_is_still_a_chat(redis_url: str, tmp_path: Path, chat: str) -> None:
    async with serving(redis_url, tmp_path) as service, connect(redis_url) as redis:
        await service.post(MESSAGE | {"chat": chat})
        row = await redis.lindex(KEYS.incoming.source, 0)

    assert json.loads(row or b"{}")["external_chat_id"] == chat


@pytest.mark.promise("closed")
async def test_a_10_mb_body_is_refused_by_its_header(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.post(b"x" * 10_000_000)

        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert answer.headers["connection"] == "close"
        assert await service.letters() == []
        assert await _unread(service, HOOK, [(b"content-length", b"10000000")]) == 413


@pytest.mark.promise("closed")
@pytest.mark.parametrize("declared", [None, b"10", b"junk", "٣".encode(), b"9" * 6000])
async def test_a_body_without_an_honest_length_is_read_no_further_than_the_cap(
    redis_url: str, tmp_path: Path, declared: bytes | None
) -> None:
    read = 0
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 65_536
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": read < 10_000_000}

    async def send(message: Any) -> None:
        answers.append(message)

    headers = [] if declared is None else [(b"content-length", declared)]
    scope = {"type": "http", "method": "POST", "path": HOOK, "headers": headers, "query_string": b""}
    async with serving(redis_url, tmp_path) as service:
        await service.app(scope, receive, send)

    assert answers[0]["status"] == 413
    assert read <= FAKE_LIMITS.webhook_max_bytes + 65_536


@pytest.mark.promise("closed")
async def test_a_strangers_body_is_not_read_at_all(redis_url: str, tmp_path: Path) -> None:
    """Where the address is the proof: some vendors' deliveries may be tens of megabytes."""
    async with serving(redis_url, tmp_path) as service:
        assert await _unread(service, HOOK.replace(SECRET, "another-secret"), []) == 401


async def _unread(service: Service, path: str, headers: list[tuple[bytes, bytes]]) -> int:
    """The status of the answer to a delivery whose body is not asked for."""
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    await service.app(scope, receive, send)
    return int(answers[0]["status"])


async def test_a_body_of_exactly_the_cap_is_read(redis_url: str, tmp_path: Path) -> None:
    body = json.dumps(MESSAGE).encode().ljust(FAKE_LIMITS.webhook_max_bytes)
    async with serving(redis_url, tmp_path) as service:
        assert (await service.post(body)).status_code == 200
        assert (await service.post(body + b" ")).status_code == 413


async def test_a_sender_that_hangs_up_leaves_nothing(redis_url: str, tmp_path: Path) -> None:
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    answers: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": HOOK, "headers": [], "query_string": b""}
    async with serving(redis_url, tmp_path) as service:
        await service.app(scope, receive, send)
        assert await service.letters() == []
    assert answers[0]["status"] == 400


@pytest.mark.parametrize("path", [HOOK, "/webhook/avito", "/webhook/avito/default"])
async def test_only_post_is_served(redis_url: str, tmp_path: Path, path: str) -> None:
    async with serving(redis_url, tmp_path) as service:
        answer = await service.get(path)

        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_without_redis_messages_are_thanked_for_and_arrive_in_order(
    redis_url: str, tmp_path: Path
) -> None:
    async with line_to(redis_url) as line, serving(line.url, tmp_path) as service:
        await line.cut()
        for number in range(5):
            answer = await service.post({"id": f"m{number}", "chat": "c", "text": str(number)})
            assert answer.json() == {"ok": True}
        assert service.outcomes == {"spooled": 5}

        await line.mend()
        await service.inbox.drained()
        await service.post({"id": "m5", "chat": "c", "text": "5"})
        await service.post({"id": "m0", "chat": "c", "text": "0"})

    assert await queued(redis_url) == ["0", "1", "2", "3", "4", "5"]


async def test_with_neither_redis_nor_disk_the_vendor_is_asked_to_repeat(tmp_path: Path) -> None:
    async with serving("redis://127.0.0.1:1/0", tmp_path, max_bytes=100_000) as service:
        answer = await service.post(MESSAGE | {"text": "x" * 200_000})

        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert answer.json()["retryable"] is True
        assert service.outcomes == {"storage_down": 1}


@pytest.mark.parametrize("body", [b"{", {"type": "typing"}, {"break": True}])
async def test_a_dead_letter_that_cannot_be_kept_is_asked_for_again(tmp_path: Path, body: Any) -> None:
    async with serving("redis://127.0.0.1:1/0", tmp_path) as service:
        assert (await service.post(body)).status_code == 503


async def test_bytes_that_are_not_text_are_kept_in_base64(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as service:
        await service.post(b"\xff\xfe")

        [letter] = await service.letters()
        assert letter.payload_base64 == base64.b64encode(b"\xff\xfe").decode()


async def test_the_secret_of_the_path_is_in_no_log(
    redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(redis_url, tmp_path) as service:
        for body in (MESSAGE, b"{", b"", {"type": "typing"}, {"break": True}):
            await service.post(body)

    told = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    written = capsys.readouterr()
    assert SECRET not in "".join(told) + written.out + written.err
