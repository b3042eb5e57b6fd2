import asyncio

import pytest

from tests.sandbox.whatsapp.shop import ANNA, PROFILE, TOKEN, Shop

STATUS = "sync/get/status"


@pytest.mark.parametrize("header", ["", "wrong", f"Bearer {TOKEN}", f" {TOKEN}x"])
async def test_a_wrong_token_or_a_scheme_before_it_is_401(shop: Shop, header: str) -> None:
    answer = await shop.api("GET", STATUS, headers={"Authorization": header})

    assert (answer.status_code, answer.json()["status"]) == (401, "error")


async def test_a_token_can_become_invalid_and_valid_again(shop: Shop) -> None:
    await shop.fault(bad_token=True)
    assert (await shop.get(STATUS)).status_code == 401

    await shop.fault(bad_token=False)
    assert (await shop.get(STATUS)).status_code == 200


@pytest.mark.parametrize(("switch", "status"), [({}, 400), ({"unknown_profile": 404}, 404)])
@pytest.mark.parametrize("profile", ["", "ffffffff-0000"])
async def test_an_unknown_profile_is_refused(
    shop: Shop, switch: dict[str, int], status: int, profile: str
) -> None:
    await shop.fault(**switch)

    answer = await shop.api("GET", STATUS, profile=profile)

    assert (answer.status_code, answer.json()) == (status, {"status": "error", "detail": "profile not found"})


async def test_the_documented_verbs_only(shop: Shop) -> None:
    assert (await shop.get("sync/chats/get")).status_code == 405
    assert (await shop.post("profile/logout")).status_code == 405

    await shop.fault(lenient=True)
    assert (await shop.get("sync/chats/get")).status_code == 200
    assert (await shop.post("profile/logout")).status_code == 405


@pytest.mark.parametrize(
    "path", ["sync/status", "sync/webhook/set", "sync/message/doc/send", "sync/message/voice/send", "sync"]
)
async def test_methods_that_people_imagine_are_404(shop: Shop, path: str) -> None:
    answer = await shop.post(path)

    assert (answer.status_code, answer.json()["status"]) == (404, "error")


async def test_an_unpaid_profile_is_402_but_its_status_can_be_read(shop: Shop) -> None:
    await shop.fault(unpaid=True)

    sent = await shop.post("sync/message/send", {"recipient": ANNA, "body": "ау"})

    assert (sent.status_code, sent.json()["status"]) == (402, "error")
    status = (await shop.get(STATUS)).json()
    assert (status["authorized"], status["payment_expired_at"]) == (True, "2025-11-22T08:26:40Z")


@pytest.mark.parametrize(
    "switch", [{"logged_out": True}, {"logged_out": PROFILE}, {"app_status": "connecting"}]
)
async def test_without_a_session_sending_fails_and_the_profile_methods_work(
    shop: Shop, switch: dict[str, object]
) -> None:
    await shop.fault(**switch)

    answer = await shop.post("sync/message/send", {"recipient": ANNA, "body": "ау"})

    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert (await shop.get(STATUS)).status_code == 200
    assert (await shop.get("webhook/url/get")).status_code == 200


async def test_a_switch_may_name_another_profile(shop: Shop) -> None:
    await shop.fault(logged_out="ffffffff-0000")

    assert (await shop.get(STATUS)).json()["authorized"] is True


async def test_calls_of_a_logged_out_profile_can_wait_for_ever(shop: Shop) -> None:
    await shop.fault(logged_out=True, logged_out_hangs=True)
    call = asyncio.ensure_future(shop.post("sync/message/send", {"recipient": ANNA, "body": "ау"}))
    await shop.time.pass_(299)
    assert not call.done()

    await shop.time.pass_(1)
    assert (await call).status_code == 504


@pytest.mark.parametrize(
    ("refusal", "status", "body"),
    [
        ({"shape": "detail", "detail": "x error"}, 400, {"status": "error", "detail": "x error"}),
        ({"shape": "bare"}, 400, {"status": "error"}),
        ({"shape": "as_200"}, 200, {"status": "error"}),
        (1, 400, {"status": "error", "detail": "sendMessage error"}),
    ],
)
async def test_refusals_come_in_three_shapes_and_store_nothing(
    shop: Shop, refusal: object, status: int, body: dict[str, str]
) -> None:
    await shop.fault(refuse=refusal)

    answer = await shop.post("sync/message/send", {"recipient": ANNA, "body": "ау"})

    assert (answer.status_code, answer.json()) == (status, body)
    assert await shop.seen() == []
    assert (await shop.get(STATUS)).status_code == 200


async def test_errors_of_the_service_come_as_html_and_others_as_json(shop: Shop) -> None:
    await shop.fault(error={"status": 503, "calls": 1})
    broken = await shop.get(STATUS)
    await shop.fault(error={"status": 418, "calls": 1})
    refused = await shop.get(STATUS)

    assert (broken.status_code, broken.headers["content-type"][:9]) == (503, "text/html")
    assert (refused.status_code, refused.json()["status"]) == (418, "error")


async def test_rate_limit_answers_with_429_and_retry_after(shop: Shop) -> None:
    await shop.fault(rate_limit={"calls": 1, "retry_after": 7})
    limited = await shop.get(STATUS)
    await shop.fault(rate_limit={"calls": 1, "retry_after": None, "path": "get/status"})
    unsaid = await shop.get(STATUS)

    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert (unsaid.status_code, "retry-after" in unsaid.headers) == (429, False)
    assert (await shop.get(STATUS)).status_code == 200


async def test_slow_and_hanging_calls(shop: Shop) -> None:
    await shop.fault(slow=3, hang={"calls": 1, "seconds": 60})
    calls = [asyncio.ensure_future(shop.get(STATUS)) for _ in range(2)]
    await shop.time.pass_(3)
    await shop.time.pass_(0)
    assert sorted(call.done() for call in calls) == [False, True]

    await shop.time.pass_(60)
    assert sorted([(await call).status_code for call in calls]) == [200, 504]


async def test_a_wrong_switch_is_refused_by_name(shop: Shop) -> None:
    for given in ({"media_as": "tape"}, {"fields": "all"}, {"auth_header": "a b"}, {"unpaid": 5}):
        answer = await shop.control("POST", "/faults", json=given)
        assert (answer.status_code, answer.json()["error"].split(":")[0].split(".")[0]) == (
            422,
            next(iter(given)),
        )
