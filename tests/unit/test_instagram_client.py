"""Every endpoint is asked as the contract (§5 to §13) says: method, path, query, body, token."""

import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from core.errors import (
    AuthFailed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    VendorDown,
)
from core.http import MemoryTokenStore, Token
from core.ids import AccountId
from mcp_instagram.client import AccountBarred, InstagramClient, describe
from mcp_instagram.settings import InstagramSettings, tell_apart
from tests.contract.fake_time import FakeTime
from tests.contract.instagram_side import BASE, ME, OLGA, SETTINGS, TOKEN, refusal

DAY = 86_400.0
SENT = {"recipient_id": OLGA, "message_id": "aWdfZAG1.1001"}


class Desk:
    """Answers every request alike, or as listed, and keeps them."""

    def __init__(self, *answers: Any, status: int = 200, **settings: Any) -> None:
        self.asked: list[httpx.Request] = []
        self.tokens_shown: list[str] = []
        self.time = FakeTime()
        self.store = MemoryTokenStore()
        self._answers, self._status = list(answers), status
        self.client = InstagramClient(
            SETTINGS.model_copy(update=settings),
            store=self.store,
            timing=self.time.timing,
            transport=httpx.MockTransport(self._take),
        )

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.tokens_shown.append(request.headers.get("authorization", "").removeprefix("Bearer "))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(self._status, json=answer)

    @property
    def line(self) -> str:
        request = self.asked[-1]
        return f"{request.method} {request.url.path}"

    @property
    def query(self) -> dict[str, str]:
        return dict(self.asked[-1].url.params)

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].content)

    @property
    def slept_for(self) -> float:
        return sum(self.time.slept)


def dead(subcode: int = 463) -> httpx.Response:
    return httpx.Response(400, json=refusal(190, subcode, "Session has expired."))


async def test_a_text_is_sent_as_a_response_with_the_token_in_the_header() -> None:
    desk = Desk(SENT)

    assert (await desk.client.post_message(OLGA, {"text": "Да 😀\nи"})).message_id == "aWdfZAG1.1001"
    assert desk.line == "POST /v26.0/me/messages"
    assert desk.body == {
        "recipient": {"id": OLGA},
        "messaging_type": "RESPONSE",
        "message": {"text": "Да 😀\nи"},
    }
    assert desk.tokens_shown == [TOKEN]
    assert TOKEN not in str(desk.asked[0].url)


async def test_no_send_ever_claims_to_be_a_human_agents() -> None:
    desk = Desk(SENT)
    await desk.client.post_message(OLGA, {"text": "x"}, reply_to="m1")

    assert desk.body["reply_to"] == {"mid": "m1"}
    assert "tag" not in desk.body
    assert b"HUMAN_AGENT" not in desk.asked[0].content


async def test_a_sender_action_stands_beside_no_message() -> None:
    desk = Desk({"recipient_id": OLGA})
    await desk.client.post_sender_action(OLGA, "react", {"message_id": "m1", "reaction": "❤️"})

    assert desk.line == "POST /v26.0/me/messages"
    assert desk.body == {
        "recipient": {"id": OLGA},
        "sender_action": "react",
        "payload": {"message_id": "m1", "reaction": "❤️"},
    }


async def test_conversations_are_listed_page_by_page() -> None:
    row = {"id": "c1", "updated_time": "2026-11-22T16:00:00+0000", "participants": {"data": [{"id": OLGA}]}}
    paging = {"cursors": {"after": "QVFI"}, "next": f"{BASE}/x?access_token=secret"}
    desk = Desk({"data": [row, {"no": "id"}], "paging": paging})

    page = await desk.client.get_conversations(limit=5, after="QVF")

    assert desk.line == "GET /v26.0/me/conversations"
    assert desk.query == {
        "platform": "instagram",
        "fields": "id,updated_time,participants",
        "limit": "5",
        "after": "QVF",
    }
    assert ([one.id for one in page.rows], page.after) == (["c1"], "QVFI")
    assert "secret" not in repr(page)


@pytest.mark.parametrize(
    "paging",
    [
        None,
        {},
        {"cursors": {"after": "x"}},
        {"next": "y"},
        {"next": "y", "cursors": []},
        [],
        {"next": "y", "cursors": {"after": 5}},
    ],
)
async def test_a_page_without_a_next_one_is_the_last(paging: Any) -> None:
    assert (await Desk({"data": [], "paging": paging}).client.get_conversations()).after == ""


async def test_one_conversation_is_asked_for_by_its_person() -> None:
    desk = Desk({"data": []})
    await desk.client.get_conversations(fields="id", limit=1, igsid=OLGA)
    assert desk.query == {"platform": "instagram", "fields": "id", "limit": "1", "user_id": OLGA}


async def test_messages_of_a_conversation() -> None:
    desk = Desk({"data": [{"id": "m2"}, None, {"id": "m1", "created_time": 5, "from": "?"}]})

    page = await desk.client.get_messages("aWdf/06=", limit=20, after="x")

    assert desk.asked[0].url.raw_path.startswith(b"/v26.0/aWdf%2F06%3D/messages?")
    assert (desk.query["limit"], desk.query["after"]) == ("20", "x")
    assert desk.query["fields"].startswith("id,created_time,from,to,message,")
    assert [row.id for row in page.rows] == ["m2", "m1"]


async def test_a_profile_asks_for_no_more_than_is_shown() -> None:
    desk = Desk({"id": OLGA, "name": None, "username": "olga.k", "profile_pic": 5})
    person = await desk.client.get_profile(OLGA)

    assert (desk.line, desk.query) == (f"GET /v26.0/{OLGA}", {"fields": "name,username,profile_pic"})
    assert (person.name, person.username, person.profile_pic) == (None, "olga.k", None)


async def test_a_subscription_names_confirmed_fields_only() -> None:
    desk = Desk({"success": True})
    await desk.client.post_subscribed_apps()

    assert desk.line == "POST /v26.0/me/subscribed_apps"
    assert set(desk.query["subscribed_fields"].split(",")) == {
        "messages",
        "message_echoes",
        "messaging_postbacks",
        "messaging_seen",
        "message_reactions",
        "messaging_referral",
        "standby",
    }


async def test_a_page_is_not_asked_for_what_it_refuses() -> None:
    """§13.1: `messaging_seen` on a Page is code 100."""
    desk = Desk({"success": True}, flavour="facebook")
    await desk.client.post_subscribed_apps()
    assert "messaging_seen" not in desk.query["subscribed_fields"]


async def test_a_subscription_is_shown_and_ended() -> None:
    desk = Desk({"data": [{"id": "179", "subscribed_fields": ["messages"]}], "success": True})
    assert len((await desk.client.get_subscribed_apps()).data or []) == 1
    assert desk.line == "GET /v26.0/me/subscribed_apps"
    await desk.client.delete_subscribed_apps()
    assert desk.line == "DELETE /v26.0/me/subscribed_apps"


async def test_a_change_that_was_not_made_is_told() -> None:
    with pytest.raises(VendorDown):
        await Desk({"success": False}).client.post_subscribed_apps()


@pytest.mark.parametrize("wrapped", ["flat", "list", "object"])
async def test_who_am_i_is_read_flat_and_wrapped(wrapped: str) -> None:
    me = {"user_id": ME, "id": "28900000000000001", "username": "remont_pro"}
    answer = {"flat": me, "list": {"data": [me]}, "object": {"data": me}}[wrapped]
    desk = Desk(answer, user_id=None)

    assert [await desk.client.user_id() for _ in range(2)] == [ME, ME]
    assert [request.url.path for request in desk.asked] == ["/v26.0/me"]
    assert desk.query == {"fields": "user_id,username"}


async def test_a_page_is_asked_for_its_own_id_only() -> None:
    desk = Desk({"id": "100000000000001"}, flavour="facebook")
    await desk.client.get_me()
    assert (desk.query, desk.client.known_user_id) == ({"fields": "id"}, ME)


async def test_the_version_of_the_api_is_a_setting() -> None:
    desk = Desk(SENT, api_version="v25.0")
    await desk.client.post_message(OLGA, {"text": "x"})
    assert desk.line == "POST /v25.0/me/messages"


@pytest.mark.parametrize("igsid", ["", "olga.k", "me", "1/2", "-1", "0", "٣"])
async def test_an_id_that_is_no_number_reaches_nobody(igsid: str) -> None:
    desk = Desk({})
    for asking in (
        desk.client.post_message(igsid, {"text": "x"}),
        desk.client.post_sender_action(igsid, "typing_on"),
        desk.client.get_profile(igsid),
    ):
        with pytest.raises(NotFound):
            await asking
    assert desk.asked == []


async def test_conversations_are_asked_twice_a_second_at_most() -> None:
    desk = Desk({"data": []})
    for _ in range(5):
        await desk.client.get_conversations()

    assert desk.slept_for == 2.0


async def test_audio_and_video_are_slower_than_the_rest() -> None:
    """§11: ten a second; texts a hundred."""
    video = {"attachment": {"type": "video", "payload": {"url": "https://f/1.mp4"}}}
    light, heavy = Desk(SENT), Desk(SENT)
    for _ in range(20):
        await light.client.post_message(OLGA, {"text": "x"})
        await heavy.client.post_message(OLGA, video)

    assert light.slept_for == 0
    assert heavy.slept_for == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (refusal(10, 2534022, "outside"), "outside (10/2534022)"),
        (refusal(100, None, "bad"), "bad (100)"),
        ({"error": {"message": 5}}, "no words (no code)"),
        ({"error": "x"}, ""),
        ([], ""),
        ({"recipient_id": "1"}, ""),
    ],
)
def test_a_complaint_names_its_numbers(body: Any, words: str) -> None:
    assert describe(httpx.Response(400, json=body)).words == words


@pytest.mark.parametrize("body", [b"", b"<html>token</html>", b"\xff\xfe", b"[" * 100_000, b'{"error"'])
def test_a_body_that_is_no_json_has_no_words(body: bytes) -> None:
    assert describe(httpx.Response(502, content=body)).words == ""


@pytest.mark.parametrize("code", [4, 17, 32, 80002, 80006])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ('{"178": [{"type": "instagram", "estimated_time_to_regain_access": 12}]}', 720.0),
        ('{"178": [{"estimated_time_to_regain_access": 0}]}', 30.0),
        (
            '{"178": [{"estimated_time_to_regain_access": 3}, {"estimated_time_to_regain_access": 5}]}',
            300.0,
        ),
        ("", 30.0),
        ("{", 30.0),
        ("[]", 30.0),
        ('{"178": []}', 30.0),
        ('{"178": [{}]}', 30.0),
        ('{"178": [{"estimated_time_to_regain_access": "soon"}]}', 30.0),
    ],
)
async def test_a_quota_is_over_after_the_minutes_of_the_header(
    code: int, header: str, seconds: float
) -> None:
    answer = httpx.Response(400, json=refusal(code), headers={"x-business-use-case-usage": header})

    with pytest.raises(RateLimited) as caught:
        await Desk(answer).client.post_message(OLGA, {"text": "x"})
    assert caught.value.retry_after == seconds


async def test_a_limit_of_the_second_is_waited_out() -> None:
    desk = Desk(httpx.Response(400, json=refusal(613, 2534040)), SENT)
    await desk.client.post_message(OLGA, {"text": "x"})
    assert (len(desk.asked), desk.slept_for >= 1.0) == (2, True)


@pytest.mark.parametrize("code", [9010, 230])
async def test_a_profile_without_consent_is_not_found(code: int) -> None:
    with pytest.raises(NotFound):
        await Desk(refusal(code), status=400).client.get_profile(OLGA)


async def test_a_profile_without_consent_is_known_by_its_words_too() -> None:
    said = refusal(100, None, "User consent is required to access user profile")
    with pytest.raises(NotFound):
        await Desk(said, status=400).client.get_profile(OLGA)


async def test_metas_own_failure_is_harmless_for_a_read_and_unknown_for_a_send() -> None:
    with pytest.raises(VendorDown):
        await Desk(refusal(2, 1545133), status=400).client.get_profile(OLGA)
    desk = Desk(refusal(1, 1357046), status=400)
    with pytest.raises(OutcomeUnknown):
        await desk.client.post_message(OLGA, {"text": "x"})
    assert len(desk.asked) == 1


async def test_what_only_the_owner_can_mend_stops_the_account() -> None:
    with pytest.raises(AccountBarred) as caught:
        await Desk(refusal(200, 2534041), status=403).client.post_message(OLGA, {"text": "x"})
    assert (caught.value.code, caught.value.reaction) == ("session_lost", "stop_account")
    assert "owner must set this right" in str(caught.value)


async def test_a_refresh_takes_the_token_in_the_query_and_needs_no_version() -> None:
    desk = Desk({"access_token": "IGAA-new-0123456789", "token_type": "bearer", "expires_in": 5_183_944})

    token = await desk.client.refresh_access_token()

    assert desk.line == "GET /refresh_access_token"
    assert desk.query == {"grant_type": "ig_refresh_token", "access_token": TOKEN}
    assert token == Token("IGAA-new-0123456789", desk.time.now + 5_183_944 - 60)


async def test_the_configured_token_is_due_at_once_and_the_fresh_one_ten_days_before_its_end() -> None:
    desk = Desk({"access_token": "IGAA-new-0123456789", "expires_in": 60 * 86_400}, SENT)
    tokens = desk.client.tokens
    assert await tokens.renew_at() <= desk.time.now

    await tokens.renew()
    await desk.client.post_message(OLGA, {"text": "x"})

    assert await tokens.renew_at() == desk.time.now + 50 * DAY - 60
    assert desk.tokens_shown[-1] == "IGAA-new-0123456789"


async def test_a_token_younger_than_a_day_is_tried_again_a_day_later() -> None:
    desk = Desk(refusal(100, None, "at least 24 hours old"), status=400)

    with pytest.raises(Rejected):
        await desk.client.tokens.renew()
    assert await desk.client.tokens.renew_at() == desk.time.now + DAY
    assert (await desk.client.tokens.held()).value == TOKEN


async def test_a_refresh_that_found_nobody_is_tried_again_within_the_hour() -> None:
    desk = Desk(httpx.ConnectError("refused"))
    with pytest.raises(VendorDown):
        await desk.client.tokens.renew()
    assert desk.time.now < await desk.client.tokens.renew_at() <= desk.time.now + 3_600


async def test_a_token_that_is_over_is_auth_failed_and_not_refreshed() -> None:
    desk = Desk(dead())

    with pytest.raises(AuthFailed):
        await desk.client.post_message(OLGA, {"text": "x"})
    assert [request.url.path for request in desk.asked] == ["/v26.0/me/messages"]
    assert not desk.client.tokens.good


async def test_a_kept_token_that_is_refused_gives_way_to_the_configured_one() -> None:
    """A restored backup of Redis, or a simulator started anew; the send was refused, so it is safe."""
    desk = Desk(dead(), SENT)
    await desk.store.put(Token("IGAA-kept-0123456789", desk.time.now + 40 * DAY))

    await desk.client.post_message(OLGA, {"text": "x"})

    assert desk.tokens_shown == ["IGAA-kept-0123456789", TOKEN]
    assert desk.client.tokens.good
    assert await desk.client.tokens.renew_at() <= desk.time.now


async def test_when_both_tokens_are_refused_it_is_auth_failed() -> None:
    desk = Desk(dead())
    await desk.store.put(Token("IGAA-kept-0123456789", desk.time.now + 40 * DAY))

    with pytest.raises(AuthFailed):
        await desk.client.post_message(OLGA, {"text": "x"})
    assert len(desk.asked) == 2


async def test_a_kept_token_that_has_expired_is_not_used() -> None:
    desk = Desk(SENT)
    await desk.store.put(Token("IGAA-kept-0123456789", desk.time.now - 1))

    await desk.client.post_message(OLGA, {"text": "x"})

    assert desk.tokens_shown == [TOKEN]


async def test_no_token_stands_in_an_error_or_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """Also not a refreshed one, which no list of secrets knows, and not one that was sent in a query."""
    caplog.set_level("DEBUG")
    kept = "IGAA-kept-0123456789"
    desk = Desk(refusal(190, 463, f"Error validating access token {kept} or {TOKEN}."), status=400)
    await desk.store.put(Token(kept, desk.time.now + 40 * DAY))

    with pytest.raises(AuthFailed) as caught:
        await desk.client.tokens.renew()
    told = f"{caught.value!r} {caught.value} {caught.value.__context__!r} {caplog.text}"
    assert "Error validating access token" in told
    assert kept not in told
    assert TOKEN not in told


ENVIRONMENT = {
    "INSTAGRAM_ACCESS_TOKEN": "IGAA-test-token",
    "INSTAGRAM_APP_SECRET": "app-secret-0123456789",
    "INSTAGRAM_VERIFY_TOKEN": "verify-word-0123456789",
}


def read(monkeypatch: pytest.MonkeyPatch, **more: str) -> InstagramSettings:
    for name, value in (ENVIRONMENT | more).items():
        monkeypatch.setenv(name, value)
    return InstagramSettings()  # type: ignore[call-arg]  # the values come from the environment


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)

    assert (settings.base_url, settings.api_version) == ("https://graph.instagram.com", "v26.0")
    assert (settings.user_id, settings.app_secret_2, settings.flavour) == (None, None, "instagram")
    assert "app-secret" not in repr(settings)


def test_the_flavour_chooses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, INSTAGRAM_FLAVOUR="facebook", INSTAGRAM_USER_ID=ME)
    assert settings.base_url == "https://graph.facebook.com"
    assert read(monkeypatch, INSTAGRAM_BASE_URL=BASE).base_url == BASE


@pytest.mark.parametrize(
    ("name", "value", "about"),
    [
        ("INSTAGRAM_ACCESS_TOKEN", "with space", "access_token"),
        ("INSTAGRAM_APP_SECRET", "short", "app_secret"),
        ("INSTAGRAM_VERIFY_TOKEN", "слово-слово", "verify_token"),
        ("INSTAGRAM_BASE_URL", "graph.instagram.com", "base_url"),
        ("INSTAGRAM_API_VERSION", "26", "api_version"),
        ("INSTAGRAM_USER_ID", "remont_pro", "user_id"),
        ("INSTAGRAM_FLAVOUR", "whatsapp", "flavour"),
        ("INSTAGRAM_FLAVOUR", "facebook", "user_id"),
    ],
)
def test_a_wrong_setting_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, about: str
) -> None:
    with pytest.raises(ValidationError, match=about) as caught:
        read(monkeypatch, **{name: value})
    assert f"'{value}'" not in str(caught.value)


def _accounts(**ids: str | None) -> dict[AccountId, InstagramSettings]:
    made = SETTINGS.model_copy(update={"access_token": SecretStr(TOKEN)})
    return {AccountId(name): made.model_copy(update={"user_id": one}) for name, one in ids.items()}


@pytest.mark.parametrize("ids", [{"default": None}, {"default": ME, "second": "17841400000000002"}])
def test_accounts_that_can_be_told_apart_start(ids: dict[str, str | None]) -> None:
    tell_apart(_accounts(**ids))


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ({"default": None, "second": ME}, "INSTAGRAM_USER_ID: is needed"),
        ({"default": ME, "second": None}, "INSTAGRAM_SECOND__USER_ID: is needed"),
        ({"default": ME, "second": ME}, "INSTAGRAM_SECOND__USER_ID: is the same"),
    ],
)
def test_accounts_that_could_take_each_others_events_do_not_start(
    ids: dict[str, str | None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They share one address, and the id in a delivery tells whose it is."""
    with pytest.raises(SystemExit):
        tell_apart(_accounts(**ids))
    assert said in capsys.readouterr().err
