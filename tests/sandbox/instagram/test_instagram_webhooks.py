import hmac
import json
from hashlib import sha1, sha256
from typing import Any

import pytest

from sandbox.faults import Switchboard
from sandbox.instagram.events import encoded
from sandbox.instagram.faults import InstagramFaults
from sandbox.instagram.webhooks import Signer
from tests.sandbox.instagram.conftest import Opens
from tests.sandbox.instagram.world import ACCOUNT, FIELDS, SECRET, InstagramWorld
from tests.sandbox.world import settle


def test_the_contracts_signature_vector_is_reproduced() -> None:
    item = {
        "sender": {"id": "990000000000001"},
        "recipient": {"id": "17841400000000001"},
        "timestamp": 1795363200998,
        "message": {"mid": "aWdfZAG1faXRlbTox.sandbox.0001", "text": "Здравствуйте!"},
    }
    entry = {"time": 1795363201512, "id": "17841400000000001", "messaging": [item]}
    raw = encoded({"object": "instagram", "entry": [entry]})

    headers = Signer(SECRET.encode(), Switchboard(InstagramFaults)).headers(raw)

    assert len(raw) == 329
    assert headers["x-hub-signature-256"] == (
        "sha256=c8b01da3528b5a59f6a8d3c0880ff2d573321883136ff8752fd58fad2e5a5287"
    )
    assert headers["x-hub-signature"] == "sha1=29f5fea0368c0edf096de10746884cc9254abe3d"


async def test_the_callback_is_verified_before_the_first_delivery_and_only_once(
    instagram: InstagramWorld,
) -> None:
    await instagram.subscribe()
    await instagram.write(text="раз")
    await instagram.write(text="два")

    [handshake] = instagram.callback.handshakes
    assert handshake.url.params["hub.mode"] == "subscribe"
    assert instagram.callback.texts == ["раз", "два"]


async def test_a_callback_that_fails_the_handshake_gets_nothing(instagram: InstagramWorld) -> None:
    instagram.callback.token = "another"
    await instagram.subscribe()
    await instagram.write(text="раз")

    assert instagram.callback.requests == []
    assert "verification" in (await instagram.deliveries())[0]["error"]


async def test_the_dashboard_saves_only_an_address_that_answers(instagram: InstagramWorld) -> None:
    verb, url = "/instagram/_sandbox/webhook", "https://other.test/hook"
    wrong = await instagram.web.post(verb, json={"callback_url": url, "verify_token": "wrong"})
    right = await instagram.web.post(verb, json={"callback_url": url})

    assert (wrong.status_code, right.json()["verified"]) == (400, True)
    await instagram.subscribe()
    await instagram.write(text="раз")
    assert instagram.callback.requests[0].url.host == "other.test"


async def test_a_webhook_is_escaped_signed_and_shaped_as_metas(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    written = await instagram.write(text="Здравствуйте!")

    [request] = instagram.callback.requests
    assert b"\\u0417\\u0434" in request.content
    for name, method, header in (("sha256", sha256, "-256"), ("sha1", sha1, "")):
        digest = hmac.new(SECRET.encode(), request.content, method).hexdigest()
        assert request.headers[f"x-hub-signature{header}"] == f"{name}={digest}"
    [entry] = json.loads(request.content)["entry"]
    assert entry["id"] == ACCOUNT
    assert entry["messaging"] == [
        {
            "sender": {"id": written["chat_id"]},
            "recipient": {"id": ACCOUNT},
            "timestamp": 1_763_800_000_000,
            "message": {"mid": written["message_ids"][0], "text": "Здравствуйте!"},
        }
    ]


async def test_nothing_comes_without_subscription_and_it_can_be_listed_and_ended(
    instagram: InstagramWorld,
) -> None:
    path = "/me/subscribed_apps"
    await instagram.write(text="раз")
    await instagram.subscribe()
    shown = (await instagram.api("GET", path)).json()["data"]
    assert shown[0]["subscribed_fields"] == FIELDS.split(",")

    assert (await instagram.api("DELETE", path)).json() == {"success": True}
    await instagram.write(text="два")
    assert (await instagram.api("GET", path)).json() == {"data": []}
    assert instagram.callback.requests == []


@pytest.mark.parametrize("fields", ["", "messages,nonsense"])
async def test_unknown_fields_are_refused(instagram: InstagramWorld, fields: str) -> None:
    given = {"subscribed_fields": fields}
    assert await instagram.refusal("POST", "/me/subscribed_apps", params=given) == (400, 100, None)


async def test_the_apps_fields_decide_not_the_accounts(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    chat = await instagram.open_chat()
    await instagram.write(type="reaction", content={"mid": (await instagram.seen())[0]["id"]})
    assert "reaction" in instagram.callback.items[-1]

    await instagram.backstage("webhook", fields=["messages"])
    await instagram.send(chat, "без эха")
    assert len(instagram.callback.requests) == 2


async def test_a_failed_delivery_is_repeated_at_once_then_with_growing_gaps(
    instagram: InstagramWorld,
) -> None:
    await instagram.subscribe()
    instagram.callback.statuses = [500, 204, 404]
    await instagram.write(text="раз")
    assert len(instagram.callback.requests) == 2

    await instagram.time.pass_(2)
    assert len(instagram.callback.requests) == 3
    await instagram.time.pass_(5)

    bodies = {request.content for request in instagram.callback.requests}
    assert (len(instagram.callback.requests), len(bodies)) == (4, 1)


async def test_it_is_dropped_after_36_hours(open_instagram: Opens) -> None:
    async with open_instagram(webhook_retries=(0, 36 * 3600 - 1, 1)) as instagram:
        await instagram.subscribe()
        instagram.callback.statuses = [500] * 9
        await instagram.write(text="раз")
        await instagram.time.pass_(48 * 3600)
        assert len(instagram.callback.requests) == 3


async def test_a_failed_delivery_does_not_hold_up_the_next(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    instagram.callback.statuses = [500, 500]
    await instagram.write(text="раз")
    await instagram.write(text="два")
    await instagram.time.pass_(2)

    assert instagram.callback.texts == ["раз", "раз", "два", "раз"]


async def test_the_owner_in_the_app_is_heard_as_an_echo(instagram: InstagramWorld) -> None:
    chat = await instagram.open_chat()
    await instagram.subscribe()
    note = {"chat": chat, "text": "Алло"}
    mid = (await instagram.control("POST", "/operator/messages", json=note)).json()["message_ids"][0]
    await instagram.backstage("owner/messages", chat=chat, image=True)
    await settle()

    first, second = instagram.callback.items
    assert first["message"] == {"mid": mid, "text": "Алло", "is_echo": True}
    assert second["message"]["attachments"][0]["type"] == "image"
    assert (await instagram.seen())[-1]["via"] == "operator"


ATTACHED = {
    "image": "image",
    "voice": "audio",
    "video": "video",
    "document": "file",
    "sticker": "image",
    "gif": "image",
    "ig_post": "ig_post",
    "share": "share",
    "ig_reel": "ig_reel",
    "reel": "reel",
    "story_mention": "story_mention",
    "story": "story",
    "ig_story": "ig_story",
}


@pytest.mark.parametrize("kind", ATTACHED)
async def test_files_of_customers_open(instagram: InstagramWorld, kind: str) -> None:
    await instagram.subscribe()
    await instagram.write(type=kind)

    [attachment] = instagram.callback.items[0]["message"]["attachments"]
    assert attachment["type"] == ATTACHED[kind]
    served = await instagram.web.get(attachment["payload"]["url"])
    assert (served.status_code, len(served.content) > 400) == (200, True)


async def test_links_die(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.write(type="story_mention")
    await instagram.time.pass_(86_400)

    url = instagram.callback.items[0]["message"]["attachments"][0]["payload"]["url"]
    assert (await instagram.web.get(url)).status_code == 403


async def test_text_and_media_of_one_letter_are_messages_of_their_own(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.write(text="вот", image=True, voice=True)
    await instagram.write(type="album", content={"count": 3})

    messages = [item["message"] for item in instagram.callback.items]
    kinds = [[a["type"] for a in message.get("attachments", [])] for message in messages]
    assert kinds == [[], ["image"], ["audio"], ["image"] * 3]


@pytest.mark.parametrize(
    ("letter", "key", "value"),
    [
        ({"type": "unsupported"}, "is_unsupported", True),
        ({"type": "ephemeral"}, "attachments", [{"type": "ephemeral"}]),
        ({"type": "quick_reply", "text": "Выезд"}, "quick_reply", {"payload": "visit"}),
        ({"type": "product"}, "referral", {"product": {"id": "5100000000000001"}}),
        ({"type": "self"}, "is_self", True),
    ],
)
async def test_special_messages_have_their_marks(
    instagram: InstagramWorld, letter: dict[str, Any], key: str, value: object
) -> None:
    await instagram.subscribe()
    await instagram.write(**letter)

    assert instagram.callback.items[0]["message"][key] == value


async def test_replies_name_a_message_or_a_story_and_ads_tell_where_they_come_from(
    instagram: InstagramWorld,
) -> None:
    await instagram.subscribe()
    mid = (await instagram.write(text="раз"))["message_ids"][0]
    await instagram.write(text="да", quote=mid)
    await instagram.write(type="story_reply", text="Хочу")
    await instagram.write(type="ad")

    messages = [item["message"] for item in instagram.callback.items][1:]
    assert messages[0]["reply_to"] == {"mid": mid}
    assert set(messages[1]["reply_to"]["story"]) == {"url", "id"}
    assert {"ref", "ad_id", "source", "type", "ads_context_data"} == set(messages[2]["referral"])


async def test_gestures_are_events_without_a_message(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    mine = (await instagram.write(text="раз"))["message_ids"][0]
    sent = (await instagram.send((await instagram.write(text="два"))["chat_id"], "ответ")).json()[
        "message_id"
    ]
    instagram.callback.requests.clear()

    await instagram.write(type="reaction", content={"mid": sent, "reaction": "love"})
    await instagram.write(type="reaction", content={"mid": sent, "reaction": "🔥"})
    await instagram.write(type="unreaction", content={"mid": sent})
    await instagram.write(type="edit", text="исправил", content={"mid": mine})
    await instagram.write(type="read")
    await instagram.write(type="referral")
    await instagram.write(type="optin", content={"type": "x"})
    await instagram.write(type="delete", content={"mid": mine})

    items = [
        {k: v for k, v in item.items() if k not in {"sender", "recipient", "timestamp"}}
        for item in instagram.callback.items
    ]
    assert items == [
        {"reaction": {"mid": sent, "action": "react", "reaction": "love", "emoji": "❤️"}},
        {"reaction": {"mid": sent, "action": "react", "reaction": "other", "emoji": "🔥"}},
        {"reaction": {"mid": sent, "action": "unreact"}},
        {"message_edit": {"mid": mine, "text": "исправил", "num_edit": 1}},
        {"read": {"mid": sent}},
        {"referral": {"ref": "spring_sale", "source": "ADS", "type": "OPEN_THREAD"}},
        {"optin": {"type": "x"}},
        {"message": {"mid": mine, "is_deleted": True}},
    ]


async def test_a_button_is_a_postback_with_a_mid(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    made = await instagram.write(type="postback", content={"title": "Узнать цену", "payload": "ICE"})

    assert instagram.callback.items[0]["postback"] == {
        "mid": made["message_ids"][0],
        "title": "Узнать цену",
        "payload": "ICE",
    }


async def test_comments_and_the_test_button_come_as_changes(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.write(type="comment", text="Цена?")
    await instagram.backstage("test")

    comment, test = (body["entry"][0] for body in instagram.callback.bodies)
    assert (comment["changes"][0]["field"], comment["changes"][0]["value"]["text"]) == ("comments", "Цена?")
    assert (test["id"], test["changes"][0]["value"]["message"]["mid"]) == ("0", "random_mid")


async def test_held_webhooks_can_leave_in_any_order_or_in_one_post(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    for order in ("reverse", "sent"):
        await instagram.backstage("hold")
        for text in ("раз", "два"):
            await instagram.write(text=text)
        assert instagram.callback.texts in ([], ["два", "раз"])
        await instagram.backstage("release", order=order, in_one=order == "sent")

    assert instagram.callback.texts == ["два", "раз", "раз", "два"]
    assert [len(body["entry"]) for body in instagram.callback.bodies] == [1, 1, 2]


async def test_a_delivery_can_be_repeated_byte_for_byte(instagram: InstagramWorld) -> None:
    await instagram.subscribe()
    await instagram.write(text="раз")
    await instagram.backstage("redeliver", id=(await instagram.deliveries())[0]["id"])

    first, second = instagram.callback.requests
    assert (first.content, first.headers["x-hub-signature-256"]) == (
        second.content,
        second.headers["x-hub-signature-256"],
    )


async def test_flavour_b_has_echoes_inside_messages_and_no_messaging_seen(open_instagram: Opens) -> None:
    async with open_instagram(flavour="facebook", fields=("messages",)) as page:
        wrong = {"subscribed_fields": "messages,messaging_seen"}
        assert await page.refusal("POST", "/me/subscribed_apps", params=wrong) == (400, 100, None)
        await page.subscribe()
        await page.send(await page.open_chat(), "ответ")
        assert page.callback.texts == ["Здравствуйте!", "ответ"]
