"""The form service over ASGI with real Redis: what is stored, and what is refused and how."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.app import build_app
from core.auth import KeyRing
from core.channel import Arrival
from core.errors import StorageDown
from core.inbox import Inbox, Stored
from core.keys import Keys
from core.messages import IncomingMessage
from core.observability import Metrics
from core.spool import Spool
from form_api.app import FormDesk, Intake, service_parts
from form_api.settings import FormSettings
from form_api.spam import SharedLimit

NOW = 1_795_000_000_000
KEY = "operators-key-0123456789"
AWAY = "redis://127.0.0.1:1/0"
CONTACT = {"phone": "8 (900) 123-45-67", "name": "Анна", "form_id": "remont"}
QUIZ = CONTACT | {"quiz_answers": [{"question": "Модель?", "answer": "iPhone 12"}]}
FORM = "application/x-www-form-urlencoded"


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.ms = NOW

    def now_ms(self) -> int:
        return self.ms

    async def wait(self, event: object, until_ms: int) -> None:
        raise AssertionError("nobody waits here")


class FullDisk:
    """An inbox that can store nothing."""

    waiting = 0

    async def put(self, arrivals: Sequence[Arrival]) -> list[Stored]:
        raise StorageDown("Neither Redis nor the disk took it.")

    def run(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()


class Service:
    """A running form service, as a web page sees it."""

    def __init__(self, app: Starlette, redis: Redis, inbox: Intake, clock: Hand) -> None:
        self.app, self.redis, self.inbox, self.clock = app, redis, inbox, clock

    def page(self, address: str = "203.0.113.5") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 5000))
        return httpx.AsyncClient(transport=transport, base_url="http://forms.test")

    async def post(self, path: str = "/api/submit", **request: Any) -> httpx.Response:
        async with self.page() as page:
            return await page.post(path, **request)

    async def get(self, path: str, key: str = "") -> httpx.Response:
        async with self.page() as page:
            return await page.get(path, headers={"X-API-Key": key} if key else {})

    async def queued(self) -> list[IncomingMessage]:
        raw = await self.redis.lrange(Keys().incoming.source, 0, -1)
        return [IncomingMessage.model_validate_json(one) for one in raw]


@asynccontextmanager
async def running(
    folder: Path, redis_url: str, *, inbox: Intake | None = None, **settings: Any
) -> AsyncIterator[Service]:
    chosen = FormSettings(**({"rate_burst": 100} | settings))
    redis, clock, keys = Redis.from_url(redis_url), Hand(), Keys()
    intake = inbox or Inbox(redis, keys, Spool(folder / "spool.sqlite"))
    rates: dict[str, Any] = {"per_minute": chosen.rate_per_minute, "burst": chosen.rate_burst}
    limit = SharedLimit(redis, keys, clock=clock, **rates)
    desk = FormDesk(chosen, inbox=intake, limit=limit, clock=clock, metrics=Metrics())
    ring = KeyRing.parse(SecretStr(f"operator={KEY}"))
    app = build_app(service_parts(desk, ring, connections=lambda: redis), mcp=False)
    async with app.router.lifespan_context(app):
        yield Service(app, redis, intake, clock)


@pytest.fixture
async def forms(tmp_path: Path, redis_url: str) -> AsyncIterator[Service]:
    async with running(tmp_path, redis_url) as service:
        yield service


def fields_of(answer: httpx.Response) -> list[str]:
    return [mistake["field"] for mistake in answer.json()["errors"]]


async def test_a_submission_is_queued_as_a_unified_message(forms: Service) -> None:
    answer = await forms.post(json=CONTACT | {"message": "Разбит экран", "utm_source": "ya"})

    [message] = await forms.queued()
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "id": message.external_message_id})
    assert message.external_chat_id == "+79001234567"
    assert message.text.startswith("Заявка с формы «remont»: Разбит экран")
    assert message.meta.raw["utm_source"] == "ya"


async def test_a_quiz_is_queued_with_its_answers(forms: Service) -> None:
    assert (await forms.post("/api/quiz", json=QUIZ)).status_code == 200

    [message] = await forms.queued()
    assert "Модель? — iPhone 12" in message.text


@pytest.mark.parametrize(
    "body",
    [
        {"data": CONTACT | {"message": "Разбит экран"}},
        {"files": {name: (None, value) for name, value in (CONTACT | {"message": "Разбит экран"}).items()}},
        {
            "data": CONTACT | {"message": "Разбит экран"},
            "files": {"photo": ("экран.jpg", b"\xff\xd8", "image/jpeg")},
        },
    ],
    ids=["urlencoded", "multipart", "multipart with a file"],
)
async def test_a_plain_html_form_is_read(forms: Service, body: dict[str, Any]) -> None:
    assert (await forms.post(**body)).status_code == 200

    [message] = await forms.queued()
    assert (message.client_name, "Разбит экран" in message.text) == ("Анна", True)


async def test_a_plain_html_quiz_is_read(forms: Service) -> None:
    fields = CONTACT | {"quiz_answers[0][question]": "Модель?", "quiz_answers[0][answer]": "iPhone 12"}

    assert (await forms.post("/api/quiz", data=fields)).status_code == 200
    assert "Модель? — iPhone 12" in (await forms.queued())[0].text


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (json.dumps(CONTACT | {"name": "Ан\x00на"}).encode(), "Анна"),
        (json.dumps(CONTACT).replace('"name": "', '"name": "\\ud83d').encode(), "\ufffdАнна"),
    ],
    ids=["NUL", "half an emoji"],
)
async def test_what_a_database_cannot_hold_is_cleaned_everywhere(
    forms: Service, body: bytes, name: str
) -> None:
    answer = await forms.post(content=body, headers={"content-type": "application/json"})

    [message] = await forms.queued()
    assert (answer.status_code, message.client_name, message.meta.raw["name"]) == (200, name, name)


async def test_a_repeat_with_the_same_idempotency_key_is_one_message(forms: Service) -> None:
    key = {"Idempotency-Key": "page-17"}
    answers = [await forms.post(json=CONTACT | {"started_at": n}, headers=key) for n in (1, 2)]

    assert answers[0].json() == answers[1].json()
    assert len(await forms.queued()) == 1


async def test_a_page_that_reuses_its_key_for_other_answers_loses_nothing(forms: Service) -> None:
    for said in ("экран", "батарея"):
        await forms.post(json=CONTACT | {"message": said}, headers={"Idempotency-Key": "page-17"})

    assert len(await forms.queued()) == 2


async def test_every_wrong_field_is_named_at_once_and_nothing_is_queued(forms: Service) -> None:
    answer = await forms.post("/api/quiz", json={"phone": "123", "name": "я" * 201, "quiz_answers": [{}]})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert fields_of(answer) == [
        "phone",
        "name",
        "form_id",
        "quiz_answers.0.question",
        "quiz_answers.0.answer",
    ]
    assert await forms.queued() == []


NESTED = CONTACT | {"deep": [[[[[[[[[[[[1]]]]]]]]]]]]}


@pytest.mark.parametrize(
    ("request_parts", "status", "code"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "unreadable_body"),
        ({"content": b"[" * 60_000, "headers": {"content-type": "application/json"}}, 400, "unreadable_body"),
        ({"content": b"\xff\xfe", "headers": {"content-type": "application/json"}}, 400, "unreadable_body"),
        ({"content": b"", "headers": {"content-type": "application/json"}}, 400, "unreadable_body"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "unreadable_body"),
        (
            {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}},
            400,
            "unreadable_body",
        ),
        ({"content": b"a=1&" * 600, "headers": {"content-type": FORM}}, 400, "unreadable_body"),
        ({"content": b"", "headers": {"content-type": FORM}}, 422, "invalid"),
        ({"json": [CONTACT]}, 422, "invalid"),
        ({"json": NESTED}, 422, "invalid"),
        ({"content": b"<a/>", "headers": {"content-type": "application/xml"}}, 415, "unknown_content_type"),
        ({"content": b"hello"}, 415, "unknown_content_type"),
        ({"json": CONTACT | {"message": "я" * 40_000}}, 413, "too_large"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused_by_name(
    forms: Service, request_parts: dict[str, Any], status: int, code: str
) -> None:
    answer = await forms.post(**request_parts)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await forms.queued() == []


@pytest.mark.parametrize("declared", ["10", "99999999999999999999999999"])
async def test_a_lying_content_length_does_not_get_past_the_cap(forms: Service, declared: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    headers = {"content-type": "application/json", "content-length": declared}
    answer = await forms.post(content=endless(), headers=headers)

    assert answer.status_code == 413


@pytest.mark.parametrize("robot", [{"website": "http://spam.example"}, {"started_at": NOW - 1_000}])
async def test_a_robot_is_thanked_and_forgotten(forms: Service, robot: dict[str, Any]) -> None:
    answer = await forms.post(json=CONTACT | robot)

    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    assert await forms.queued() == []
    counted = (await forms.get("/metrics", KEY)).text
    assert 'eldoleado_webhook_events_total{channel="form",outcome="spam"} 1.0' in counted


async def test_an_address_that_writes_too_often_is_told_when_to_come_back(
    tmp_path: Path, redis_url: str
) -> None:
    async with running(tmp_path, redis_url, rate_burst=2, rate_per_minute=10) as forms:
        codes = [(await forms.post(json=CONTACT)).status_code for _ in range(2)]
        refused = await forms.post(json=CONTACT)
        async with forms.page("203.0.113.6") as neighbour:
            other = await neighbour.post("/api/submit", json=CONTACT)
        forms.clock.ms += 6_000
        later = await forms.post(json=CONTACT)

    assert codes == [200, 200]
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["retry_after"]) == (
        429,
        "6",
        6,
    )
    assert (other.status_code, later.status_code) == (200, 200)


async def test_replicas_count_together(tmp_path: Path, redis_url: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    async with (
        running(one, redis_url, rate_burst=2) as first,
        running(two, redis_url, rate_burst=2) as second,
    ):
        codes = [(await forms.post(json=CONTACT)).status_code for forms in (first, second, first, second)]

    assert codes == [200, 200, 429, 429]


async def test_while_redis_is_away_forms_are_kept_on_disk_and_still_limited(
    tmp_path: Path, redis_url: str
) -> None:
    async with running(tmp_path, AWAY, rate_burst=2) as forms:
        codes = [(await forms.post(json=CONTACT)).status_code for _ in range(3)]
        health = (await forms.get("/health")).json()
    assert codes == [200, 200, 429]
    assert health == {"status": "ok", "service": "form_api", "spooled": 2}

    async with running(tmp_path, redis_url) as forms:
        assert isinstance(forms.inbox, Inbox)
        await forms.inbox.drained()
        assert len(await forms.queued()) == 2


async def test_what_nothing_could_store_is_not_thanked_for(tmp_path: Path, redis_url: str) -> None:
    async with running(tmp_path, redis_url, inbox=FullDisk()) as forms:
        answer = await forms.post(json=CONTACT)

    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (
        503,
        "storage_unavailable",
        True,
    )


async def test_pages_of_a_listed_site_may_post_and_read_the_answer(tmp_path: Path, redis_url: str) -> None:
    site = {"Origin": "https://shop.ru"}
    asked = site | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,idempotency-key",
    }
    async with running(tmp_path, redis_url, cors_origins=("https://shop.ru",)) as forms, forms.page() as page:
        preflight = await page.options("/api/submit", headers=asked)
        posted = await page.post("/api/submit", json=CONTACT, headers=site)
        refused = await page.post("/api/submit", json={}, headers=site)

    assert preflight.status_code == 200
    for answer in (preflight, posted, refused):
        assert answer.headers["access-control-allow-origin"] == "https://shop.ru"
    assert (posted.status_code, refused.status_code) == (200, 422)


@pytest.mark.parametrize("body", [{"json": CONTACT}, {"data": CONTACT}], ids=["script", "plain form"])
async def test_pages_of_other_sites_may_not_post(forms: Service, body: dict[str, Any]) -> None:
    answer = await forms.post(headers={"Origin": "https://evil.example"}, **body)

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in answer.headers
    assert await forms.queued() == []


async def test_a_page_of_the_services_own_host_may_post(forms: Service) -> None:
    assert (await forms.post(json=CONTACT, headers={"Origin": "https://forms.test"})).status_code == 200


async def test_every_site_may_post_when_the_owner_says_so(tmp_path: Path, redis_url: str) -> None:
    async with running(tmp_path, redis_url, cors_origins=("*",)) as forms:
        answer = await forms.post(json=CONTACT, headers={"Origin": "null"})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")


async def test_behind_a_trusted_proxy_customers_are_counted_one_by_one(
    tmp_path: Path, redis_url: str
) -> None:
    settings: dict[str, Any] = {"rate_burst": 1, "trusted_proxies": ("203.0.113.0/24",)}
    async with running(tmp_path, redis_url, **settings) as forms:
        codes = [
            (await forms.post(json=CONTACT, headers={"X-Forwarded-For": f"1.1.1.1, {name}"})).status_code
            for name in ("198.51.100.1", "198.51.100.2", "198.51.100.1")
        ]

    assert codes == [200, 200, 429]


async def test_the_routes_are_described_and_the_inner_ones_need_a_key(forms: Service) -> None:
    paths = (await forms.get("/openapi.json")).json()["paths"]

    assert {"/api/submit", "/api/quiz"} <= set(paths)
    schema = paths["/api/quiz"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["required"]) == {"phone", "name", "form_id", "quiz_answers"}
    assert [(await forms.get(path)).status_code for path in ("/info", "/metrics")] == [401, 401]
    assert (await forms.get("/info", KEY)).json()["channel"] == "form"
    assert (await forms.get("/api/submit")).status_code == 405
    assert (await forms.get("/mcp")).status_code == 404


async def test_a_name_in_percent_codes_that_are_not_utf8_is_not_a_crash(forms: Service) -> None:
    body = urlencode(CONTACT | {"name": b"\xcf\xf0"}).encode()

    answer = await forms.post(content=body, headers={"content-type": FORM})

    assert answer.status_code == 200
    assert (await forms.queued())[0].client_name == "\ufffd\ufffd"
