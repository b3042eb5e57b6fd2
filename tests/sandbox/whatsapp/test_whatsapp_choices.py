"""What a deployment chooses by settings."""

import pytest
from pydantic import SecretStr

from sandbox.whatsapp.settings import Number, WhatsAppSandboxSettings
from tests.sandbox.whatsapp.shop import ANNA, ANNAS_CHAT, HOOK, PHONE, PROFILE, TOKEN, Shop

OTHER = "00000000-0001"


@pytest.fixture
def whatsapp_settings() -> WhatsAppSandboxSettings:
    return WhatsAppSandboxSettings(
        token=SecretStr(TOKEN),
        profiles=(Number(PROFILE, PHONE), Number(OTHER, "79000000009")),
        pending_after=1,
        delivered_after=2,
        read_after=3,
        text_limit=10,
        webhook_retries=(1,),
        hook_off_after=2,
        switches={"auth_header": "x-wappi-auth", "bad_token": False, "app_status": "connecting"},
    )


@pytest.fixture(autouse=True)
async def _connected(shop: Shop) -> None:
    assert (await shop.get("sync/get/status")).json()["app_status"] == "connecting"
    await shop.fault(app_status="open")


async def test_statuses_come_after_the_chosen_delays(shop: Shop) -> None:
    await shop.subscribe()
    await shop.send()

    statuses = []
    for pause in (0.9, 0.1, 2, 3):
        await shop.time.pass_(pause)
        statuses.append([item["status"] for item in shop.outside.told("delivery_status")])

    assert statuses == [[], ["pending"], ["pending", "delivered"], ["pending", "delivered", "read"]]
    assert [message["read"] for message in await shop.seen()] == [True]


async def test_both_profiles_are_there_and_can_be_written_to(shop: Shop) -> None:
    topics = (await shop.web.get("/control/channels")).json()["channels"][1]["topics"]
    written = await shop.write(text="второму", ad=topics[1]["id"])

    assert topics[1] == {"id": 79000000009, "title": "Мастерская «Эльдорадо»", "note": "+79000000009"}
    assert written["chat_id"] == f"{OTHER}:{ANNAS_CHAT}"
    await shop.fault(logged_out=OTHER)
    states = [
        (await shop.api("GET", "sync/get/status", profile=profile)).json()["authorized"]
        for profile in (PROFILE, OTHER)
    ]
    assert states == [True, False]


async def test_the_text_limit_is_chosen(shop: Shop) -> None:
    long = await shop.post("sync/message/send", {"recipient": ANNA, "body": "я" * 11})

    assert (long.status_code, long.json()["detail"]) == (400, "body is longer than 10 characters")
    await shop.send("я" * 10)


async def test_chosen_switches_survive_a_reset(shop: Shop) -> None:
    await shop.fault(auth_header="auth")
    await shop.control("DELETE", "/faults")

    faults = (await shop.control("GET", "/faults")).json()["faults"]
    assert (faults["auth_header"], faults["app_status"]) == ("x-wappi-auth", "connecting")


async def test_a_url_that_fails_too_often_can_be_switched_off(shop: Shop) -> None:
    await shop.subscribe()
    shop.outside.statuses = [500, 500, 200, 500, 500, 500, 500]
    for text in ("а", "б", "в", "г", "д"):
        await shop.write(text=text)
        await shop.time.pass_(1)

    assert [item["body"] for item in shop.outside.items] == ["а", "а", "б", "в", "в", "г", "г"]
    assert (await shop.get("webhook/url/get")).json()["installed"] is False


async def test_a_subscription_can_vanish_and_must_be_renewed(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(unsubscribed=True)
    await shop.write(text="тихо")
    await shop.fault(unsubscribed=False)

    assert (await shop.get("webhook/url/get")).json()["url"] == ""
    assert shop.outside.requests == []
    await shop.post("webhook/url/set", params={"url": HOOK})
    await shop.write(text="слышно")
    assert [item["body"] for item in shop.outside.items] == ["слышно"]
