import base64

import pytest

from tests.sandbox.whatsapp.shop import ANNA, ANNAS_CHAT, HOOK, PHONE, PROFILE, Shop


async def test_the_status_of_a_healthy_profile(shop: Shop) -> None:
    await shop.subscribe()
    await shop.write(text="ау")

    status = (await shop.get("sync/get/status")).json()

    assert "status" not in status
    assert (status["authorized"], status["app_status"], status["phone"]) == (True, "open", PHONE)
    assert (status["profile_id"], status["uuid"], status["webhook_url"]) == (PROFILE, PROFILE, HOOK)
    assert (status["message_count"], status["last_activity"]) == (1, 1_763_800_000.0)
    assert (status["logouted_at"], status["payment_expired_at"]) == (None, "2026-11-22T08:26:40Z")
    assert status["checked_at"] == "2025-11-22T11:26:40.000000+03:00"


async def test_a_logout_by_api_is_told_and_then_there_is_silence(shop: Shop) -> None:
    await shop.subscribe()
    answer = (await shop.get("profile/logout")).json()
    await shop.write(text="ау")

    assert answer["detail"] == "ok! You are logouted"
    [item] = shop.outside.items
    assert item == {
        "wh_type": "authorization_status",
        "profile_id": PROFILE,
        "status": "offline",
        "reason": "logout from api",
        "phone": PHONE,
        "timestamp": "2025-11-22T11:26:40+03:00",
        "time": 1_763_800_000,
    }
    status = (await shop.get("sync/get/status")).json()
    assert (status["authorized"], status["app_status"]) == (False, "close")
    assert status["logouted_at"].endswith("+03:00")


async def test_what_came_while_logged_out_is_in_the_history_after_the_login(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(logged_out=True)
    await shop.write(text="есть кто?")
    await shop.fault(logged_out=False)

    assert [(item["wh_type"], item["status"]) for item in shop.outside.items] == [
        ("authorization_status", "offline"),
        ("authorization_status", "online"),
    ]
    assert shop.outside.items[0]["reason"] == "logout from phone"
    assert [row["body"] for row in await shop.rows()] == ["есть кто?"]


async def test_resetting_the_faults_logs_in_and_pays(shop: Shop) -> None:
    await shop.fault(logged_out=True, unpaid=True)
    await shop.control("DELETE", "/faults")

    assert (await shop.send())["status"] == "done"


async def test_an_unpaid_profile_is_silent(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(unpaid=True)
    await shop.write(text="ау")
    await shop.fault(logged_out=True)

    assert shop.outside.requests == []


async def test_a_dropped_connection_is_an_application_status(shop: Shop) -> None:
    await shop.subscribe()
    await shop.fault(app_status="connecting")
    status = (await shop.get("sync/get/status")).json()
    await shop.fault(app_status="close")
    await shop.fault(app_status="open")

    assert (status["authorized"], status["app_status"]) == (True, "connecting")
    assert [(item["wh_type"], item["status"]) for item in shop.outside.items] == [
        ("application_status", "offline"),
        ("application_status", "online"),
    ]


async def test_a_restart_takes_a_moment(shop: Shop) -> None:
    await shop.get("profile/restart")
    assert (await shop.get("sync/get/status")).json()["app_status"] == "connecting"

    await shop.time.pass_(5)
    assert (await shop.get("sync/get/status")).json()["app_status"] == "open"


async def test_a_code_to_scan_is_a_picture(shop: Shop) -> None:
    assert (await shop.get("sync/qr/get")).status_code == 400
    await shop.fault(logged_out=True)

    shown = (await shop.get("sync/qr/get")).json()
    assert shown["uuid"] == PROFILE
    prefix, _, picture = shown["qrCode"].partition(",")
    assert (prefix, base64.b64decode(picture)[:4]) == ("data:image/png;base64", b"\x89PNG")


async def test_a_second_pairing_code_is_refused_for_two_minutes(shop: Shop) -> None:
    await shop.fault(logged_out=True)
    first = await shop.get("sync/auth/code", phone=PHONE)
    again = await shop.get("sync/auth/code", phone=PHONE)
    await shop.time.pass_(120)

    code = first.json()["code"]
    assert (len(code), code[4], first.json()["phone"]) == (9, "-", PHONE)
    assert again.status_code == 400
    assert (await shop.get("sync/auth/code", phone=PHONE)).status_code == 200


async def test_profiles_are_added_listed_and_deleted(shop: Shop) -> None:
    added = (await shop.post("profile/add", {"name": "Второй", "webhook_url": HOOK})).json()["profile_id"]

    first, second = (await shop.get("profile/all/get")).json()["profiles"]
    assert (first["profile_id"], first["webhook_url"], first["authorized"]) == (PROFILE, None, True)
    assert (second["profile_id"], second["webhook_url"], second["authorized"]) == (added, HOOK, False)
    assert "message_count" not in second

    deleted = (await shop.post("profile/delete", profile=added)).json()
    assert deleted["detail"] == f"Profile {added} deleted"
    assert (await shop.api("GET", "sync/get/status", profile=added)).status_code == 400


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "Второй", "webhook_url": "shop"}])
async def test_a_profile_needs_a_name(shop: Shop, body: dict[str, str]) -> None:
    assert (await shop.post("profile/add", body)).status_code == 400


async def test_two_profiles_talk_with_the_same_phone_without_mixing(shop: Shop) -> None:
    assert (await shop.web.get("/control/channels")).json()["channels"][1]["topics"] == []
    other = (await shop.post("profile/add", {"name": "Второй"})).json()["profile_id"]
    await shop.fault(logged_out=False)
    first, second = (await shop.web.get("/control/channels")).json()["channels"][1]["topics"]
    assert (first["id"], second["title"]) == (int(PHONE), "Второй")
    await shop.subscribe()
    hook = "http://shop.test/other"
    await shop.post("webhook/url/set", profile=other, params={"url": hook})

    mine = await shop.write(text="первому")
    theirs = await shop.write(text="второму", ad=second["id"])
    again = await shop.write(text="ещё второму", chat=theirs["chat_id"])

    assert (mine["chat_id"], theirs["chat_id"]) == (ANNAS_CHAT, f"{other}:{ANNAS_CHAT}")
    assert again["chat_id"] == theirs["chat_id"]
    assert [
        (str(r.url), i["profile_id"]) for r, i in zip(shop.outside.requests, shop.outside.items, strict=True)
    ] == [
        (HOOK, PROFILE),
        (hook, other),
        (hook, other),
    ]
    assert [row["body"] for row in await shop.rows()] == ["первому"]
    listed = await shop.api("GET", "sync/messages/get", profile=other, params={"chat_id": ANNA})
    assert listed.json()["total_count"] == 2


async def test_without_any_profile_nobody_can_write(shop: Shop) -> None:
    await shop.post("profile/delete")

    answer = await shop.control("POST", "/customers/Анна/messages", json={"text": "ау"})
    operator = await shop.control("POST", "/operator/messages", json={"chat": ANNA, "text": "ау"})

    assert (answer.status_code, operator.status_code) == (404, 409)
    await shop.control("POST", "/reset?everything=true")
    await shop.write(text="ау")
