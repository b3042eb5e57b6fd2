"""Forms without a network: phones, schemas, the message they become, addresses, robots, settings."""

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from form_api.addresses import client_address
from form_api.forms import Quiz, Submit, from_fields
from form_api.normalize import normalize, summary
from form_api.phone import to_e164
from form_api.settings import FormSettings, Network
from form_api.spam import MemoryLimit, looks_automatic

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW = 1_795_000_000_000
CONTACT = {"phone": "8 (900) 123-45-67", "name": "Анна", "form_id": "remont"}
ANSWERS = [{"question": "Модель?", "answer": "iPhone 12"}, {"question": "Что случилось?", "answer": "Экран"}]


def submit(**more: Any) -> Submit:
    return Submit.model_validate(CONTACT | more, context={"region": "RU"})


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("8 (900) 123-45-67", "RU", "+79001234567"),
        ("+7 900 123 45 67", "RU", "+79001234567"),
        ("79001234567", "RU", "+79001234567"),
        ("9001234567", "RU", "+79001234567"),
        ("８９００１２３４５６７", "RU", "+79001234567"),
        ("+49 30 901820", "RU", "+4930901820"),
        ("030 901820", "DE", "+4930901820"),
        ("123", "RU", None),
        ("", "RU", None),
        ("позвоните мне", "RU", None),
        ("+7 900 123 45 67 8", "RU", None),
        ("+999 123456789", "RU", None),
    ],
)
def test_a_phone_is_read_as_people_write_it(written: str, region: str, number: str | None) -> None:
    assert to_e164(written, region) == number


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"phone": "123"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"phone": None}, "phone"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "я" * 201}, "name"),
        ({"name": {"first": "Анна"}}, "name"),
        ({"form_id": ""}, "form_id"),
        ({"message": "я" * 10_001}, "message"),
        ({"email": "anna(at)example.com"}, "email"),
    ],
)
def test_a_wrong_field_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        submit(**given)
    assert [mistake["loc"][0] for mistake in refused.value.errors()] == [field]


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ([], ("quiz_answers",)),
        ([ANSWERS[0]] * 101, ("quiz_answers",)),
        ("Модель?", ("quiz_answers",)),
        ([{"question": "Модель?"}], ("quiz_answers", 0, "answer")),
        ([ANSWERS[0], {"question": "", "answer": "да"}], ("quiz_answers", 1, "question")),
    ],
)
def test_a_wrong_quiz_answer_is_named(answers: Any, field: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        Quiz.model_validate(CONTACT | {"quiz_answers": answers}, context={"region": "RU"})
    assert [mistake["loc"] for mistake in refused.value.errors()] == [field]


@pytest.mark.parametrize(
    ("given", "attribute", "value"),
    [
        ({"name": " Анна \n Петрова "}, "name", "Анна Петрова"),
        ({"name": "я" * 200}, "name", "я" * 200),
        ({"email": ""}, "email", None),
        ({"email": "anna@example.com"}, "email", "anna@example.com"),
        ({"page_url": " "}, "page_url", None),
        ({"started_at": "1795000000000"}, "started_at", NOW),
        ({"started_at": "NaN"}, "started_at", None),
        ({"started_at": {}}, "started_at", None),
        ({"phone": 79001234567}, "phone", "+79001234567"),
        ({"message": ["экран", "корпус"]}, "message", "экран, корпус"),
    ],
)
def test_a_field_is_read_with_goodwill(given: dict[str, Any], attribute: str, value: Any) -> None:
    assert getattr(submit(**given), attribute) == value


def test_a_form_becomes_a_message_of_the_phone() -> None:
    raw = CONTACT | {"email": "anna@example.com", "utm_source": "ya", "message": "Разбит экран"}
    form = submit(**raw)

    message = normalize(form, message_id="m-1", received=NOON, raw=raw)

    assert message.model_dump(include={"channel", "external_message_id", "timestamp", "client_name"}) == {
        "channel": "form",
        "external_message_id": "m-1",
        "timestamp": NOON,
        "client_name": "Анна",
    }
    assert {message.external_user_id, message.external_chat_id, message.client_phone} == {"+79001234567"}
    assert message.client_email == "anna@example.com"
    assert (message.meta.ad_channel, message.meta.ad_id, message.meta.raw) == ("form", "remont", raw)


def test_a_submission_reads_like_a_note_to_the_agent() -> None:
    form = submit(message="Разбит экран", model="iPhone 12", utm_source="ya", page_url="https://shop.ru/a")

    assert summary(form).split("\n") == [
        "Заявка с формы «remont»: Разбит экран",
        "model — iPhone 12",
        "Имя: Анна",
        "Телефон: +79001234567",
        "Страница: https://shop.ru/a",
    ]


def test_a_quiz_reads_as_questions_and_answers() -> None:
    quiz = Quiz.model_validate(CONTACT | {"quiz_answers": ANSWERS}, context={"region": "RU"})

    assert summary(quiz).split("\n")[:3] == [
        "Квиз «remont»",
        "Модель? — iPhone 12",
        "Что случилось? — Экран",
    ]


def test_fields_of_a_plain_html_form_become_one_object() -> None:
    fields = [
        ("name", "Анна"),
        ("parts", "экран"),
        ("parts", "корпус"),
        ("parts", "кнопка"),
        ("quiz_answers[1][question]", "Б?"),
        ("quiz_answers[1][answer]", "б"),
        ("quiz_answers[0][answer]", "а"),
        ("quiz_answers[0][question]", "А?"),
    ]

    assert from_fields(fields) == {
        "name": "Анна",
        "parts": ["экран", "корпус", "кнопка"],
        "quiz_answers": [{"question": "А?", "answer": "а"}, {"question": "Б?", "answer": "б"}],
    }


PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.5", "", (), "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", (), "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", PROXIES, "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1", PROXIES, "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", PROXIES, "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, rubbish", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", PROXIES, "10.0.0.2"),
        ("fd00::1", "2001:db8:1:2:3:4:5:6", PROXIES, "2001:db8:1:2::"),
        ("::ffff:203.0.113.5", "", (), "203.0.113.5"),
        ("", "", (), "unknown"),
        ("testclient", "198.51.100.1", PROXIES, "unknown"),
    ],
)
def test_the_customers_address_is_taken_from_those_we_trust(
    peer: str, forwarded: str, trusted: tuple[Network, ...], address: str
) -> None:
    assert client_address(peer, forwarded, trusted) == address


@pytest.mark.parametrize(
    ("given", "automatic"),
    [
        ({}, False),
        ({"website": ""}, False),
        ({"website": "  "}, False),
        ({"website": "http://spam.example"}, True),
        ({"website": ["x"]}, True),
        ({"started_at": NOW - 500}, True),
        ({"started_at": str(NOW - 500)}, True),
        ({"started_at": NOW - 2_000}, False),
        ({"started_at": NOW + 60_000}, False),
        ({"started_at": "yesterday"}, False),
        ({"started_at": "9" * 400}, False),
        ({"started_at": None}, False),
    ],
)
def test_a_robot_fills_the_hidden_field_or_is_too_fast(given: dict[str, Any], automatic: bool) -> None:
    assert looks_automatic(given, honeypot="website", fill_seconds=2, now_ms=NOW) is automatic


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.ms = NOW

    def now_ms(self) -> int:
        return self.ms

    async def wait(self, event: object, until_ms: int) -> None:
        raise AssertionError("nobody waits here")


async def test_without_redis_each_address_has_a_bucket_of_its_own() -> None:
    clock = Hand()
    limit = MemoryLimit(per_minute=10, burst=2, clock=clock)

    assert [await limit.wait_for("a") for _ in range(3)] == [0, 0, pytest.approx(6)]
    assert await limit.wait_for("b") == 0
    clock.ms += 6_000
    assert [await limit.wait_for("a") for _ in range(2)] == [0, pytest.approx(6)]


def test_settings_are_read_from_comma_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORM_CORS_ORIGINS", "https://Shop.ru, http://localhost:8790")
    monkeypatch.setenv("FORM_TRUSTED_PROXIES", "10.1.2.3/8,192.168.0.1")
    monkeypatch.setenv("FORM_DEFAULT_REGION", "kz")

    settings = FormSettings()

    assert settings.cors_origins == ("https://shop.ru", "http://localhost:8790")
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("192.168.0.1"))
    assert settings.default_region == "KZ"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FORM_CORS_ORIGINS", "shop.ru"),
        ("FORM_CORS_ORIGINS", "https://shop.ru/page"),
        ("FORM_TRUSTED_PROXIES", "my-proxy"),
        ("FORM_DEFAULT_REGION", "Россия"),
        ("FORM_RATE_PER_MINUTE", "0"),
        ("FORM_MAX_BYTES", "many"),
    ],
)
def test_a_wrong_setting_stops_the_start(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        FormSettings()
    assert [f"FORM_{mistake['loc'][0]}".upper() for mistake in refused.value.errors()] == [name]
