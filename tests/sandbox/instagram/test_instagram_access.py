import pytest

from sandbox.instagram.settings import from_environment
from sandbox.settings import SettingsError
from tests.sandbox.instagram.conftest import Opens
from tests.sandbox.instagram.world import ACCOUNT, SECRET, TOKEN, InstagramWorld

REFRESH = "/instagram/refresh_access_token"
GRANT = {"grant_type": "ig_refresh_token", "access_token": TOKEN}
DAY = 86_400


async def test_the_token_is_checked_before_the_path(instagram: InstagramWorld) -> None:
    answer = await instagram.api("GET", "/no/such/path", token="wrong")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 190)
    assert "invalid_token" in answer.headers["www-authenticate"]
    assert await instagram.refusal("GET", "/no/such/path") == (400, 100, 33)
    assert await instagram.refusal("GET", "/12345") == (400, 100, 33)
    assert await instagram.refusal("POST", f"/{ACCOUNT}9/messages", json={}) == (400, 100, 33)


async def test_every_answer_carries_versions_and_usage(instagram: InstagramWorld) -> None:
    headers = (await instagram.api("GET", "/me")).headers

    assert headers["facebook-api-version"] == "v26.0"
    assert '"call_count"' in headers["x-app-usage"]
    assert ACCOUNT in headers["x-business-use-case-usage"]


async def test_an_expired_token_is_190_463_and_cannot_be_refreshed(instagram: InstagramWorld) -> None:
    await instagram.time.pass_(58 * DAY)

    assert await instagram.refusal("GET", "/me") == (400, 190, 463)
    assert (await instagram.web.get(REFRESH, params=GRANT)).json()["error"]["error_subcode"] == 463


async def test_a_token_of_a_day_is_refreshed_and_a_younger_one_is_not(instagram: InstagramWorld) -> None:
    fresh = (await instagram.web.get(REFRESH, params=GRANT)).json()

    assert (fresh["token_type"], fresh["expires_in"]) == ("bearer", 60 * DAY)
    assert (await instagram.api("GET", "/me", token=fresh["access_token"])).status_code == 200
    again = await instagram.web.get(REFRESH, params={**GRANT, "access_token": fresh["access_token"]})
    assert (again.status_code, again.json()["error"]["code"]) == (400, 100)


async def test_a_code_becomes_a_short_token_and_that_a_long_one(instagram: InstagramWorld) -> None:
    query = {
        "client_id": "1790000000000001",
        "redirect_uri": "https://shop.test/back",
        "response_type": "code",
        "state": "s",
    }
    there = (await instagram.web.get("/instagram/oauth/authorize", params=query)).headers["location"]
    assert there.endswith("&state=s#_")
    form = {
        "client_id": query["client_id"],
        "client_secret": SECRET,
        "grant_type": "authorization_code",
        "redirect_uri": query["redirect_uri"],
        "code": there.partition("code=")[2].partition("&")[0],
    }

    short = await instagram.web.post("/instagram/oauth/access_token", data=form)
    assert short.json()["user_id"] == ACCOUNT
    assert (await instagram.web.post("/instagram/oauth/access_token", data=form)).status_code == 400
    exchange = {
        "grant_type": "ig_exchange_token",
        "client_secret": SECRET,
        "access_token": short.json()["access_token"],
    }
    long = (await instagram.web.get("/instagram/access_token", params=exchange)).json()
    assert long["expires_in"] == 60 * DAY
    await instagram.time.pass_(3600)
    assert await instagram.refusal("GET", "/me", token=short.json()["access_token"]) == (400, 190, 463)
    assert (await instagram.api("GET", "/me", token=long["access_token"])).status_code == 200


async def test_a_token_can_be_ended_and_permissions_taken(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.backstage("permissions", messages=False)
    assert await instagram.refused(chat, message={"text": "a"}) == (403, 10, None)

    await instagram.backstage("tokens/end", token=TOKEN, subcode=458)
    assert await instagram.refusal("GET", "/me") == (400, 190, 458)


async def test_the_account_has_two_ids(instagram: InstagramWorld) -> None:
    shown = (await instagram.api("GET", "/me", params={"fields": "user_id,username,account_type"})).json()

    assert shown == {
        "user_id": ACCOUNT,
        "username": "eldorado_remont",
        "account_type": "BUSINESS",
        "id": "28900000000000001",
    }
    assert await instagram.refusal("GET", "/me", params={"fields": "folder"}) == (400, 100, None)


async def test_a_second_account_has_its_own_token_customers_and_chats(instagram: InstagramWorld) -> None:
    other = await instagram.backstage("accounts", username="second_shop")
    chat = (await instagram.write(text="ау", ad=int(other["user_id"])))["chat_id"]
    token = other["access_token"]
    body = {"recipient": {"id": chat}, "message": {"text": "да"}}

    assert chat != await instagram.open_chat()
    assert await instagram.refused(chat, message={"text": "a"}) == (400, 100, 2534014)
    assert (await instagram.api("POST", "/me/messages", token=token, json=body)).status_code == 200
    assert len((await instagram.api("GET", "/me/conversations", token=token)).json()["data"]) == 1
    assert [topic["note"] for topic in await _topics(instagram)] == ["@eldorado_remont", "@second_shop"]


async def _topics(instagram: InstagramWorld) -> list[dict[str, str]]:
    channels = (await instagram.web.get("/control/channels")).json()["channels"]
    return list(channels[-1]["topics"])


async def test_the_call_limit_is_80002_with_the_minutes_to_wait(open_instagram: Opens) -> None:
    async with open_instagram(call_limit=2) as instagram:
        for _ in range(2):
            assert (await instagram.api("GET", "/me")).status_code == 200
        answer = await instagram.api("GET", "/me")

        assert answer.json()["error"]["code"] == 80002
        assert '"estimated_time_to_regain_access": 1440' in answer.headers["x-business-use-case-usage"]


async def test_the_ledger_tells_the_calls_without_tokens(instagram: InstagramWorld) -> None:
    await instagram.api("GET", "/me", params={"access_token": TOKEN, "fields": "id"})

    answer = await instagram.web.get("/instagram/_sandbox/calls")

    [line] = answer.json()["calls"]
    assert (line["path"], line["params"], line["status"]) == ("v26.0/me", {"fields": "id"}, 200)
    assert TOKEN not in answer.text


def test_no_variables_no_instagram_and_some_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment() is None

    monkeypatch.setenv("SANDBOX_INSTAGRAM_ACCESS_TOKEN", "t")
    with pytest.raises(SettingsError) as caught:
        from_environment()
    assert str(caught.value) == (
        "The sandbox cannot simulate Instagram: "
        "set SANDBOX_INSTAGRAM_APP_SECRET, SANDBOX_INSTAGRAM_VERIFY_TOKEN."
    )

    monkeypatch.setenv("SANDBOX_INSTAGRAM_APP_SECRET", "s")
    monkeypatch.setenv("SANDBOX_INSTAGRAM_VERIFY_TOKEN", "v")
    monkeypatch.setenv("SANDBOX_INSTAGRAM_WEBHOOK_RETRIES", "0, 1")
    settings = from_environment()
    assert settings is not None
    assert settings.webhook_retries == (0, 1)
