from typing import Any

import pytest

from tests.sandbox.max.conftest import Opens
from tests.sandbox.max.world import BOT, MaxWorld, shown


async def customer(world: MaxWorld, name: str) -> int:
    return int((await world.control("POST", "/customers", json={"name": name})).json()["id"])


async def test_a_group_has_a_negative_id_and_no_user_in_its_recipient(max_: MaxWorld) -> None:
    await max_.subscribe()
    chat = await max_.group(title="Мастера")
    added = max_.last
    await max_.write("Борис", text="всем привет", chat=str(chat))

    assert chat < 0
    assert (added["update_type"], added["chat_id"], added["is_channel"]) == ("bot_added", chat, False)
    assert max_.last["message"]["recipient"] == {"chat_id": chat, "chat_type": "chat"}
    assert "user_locale" not in max_.last


async def test_only_an_admin_who_may_read_gets_the_messages_of_a_group(max_: MaxWorld) -> None:
    await max_.subscribe()
    for rights in (None, ["write"]):
        chat = await max_.group(title=str(rights), rights=rights)
        await max_.write(text="тихо", chat=str(chat))
    assert [u["update_type"] for u in max_.updates] == ["bot_added", "bot_added"]


async def test_posts_of_a_channel_have_no_sender_but_views_and_an_address(max_: MaxWorld) -> None:
    chat = await max_.group(is_channel=True)
    post = await max_.sent(chat, "Новость")
    assert "sender" not in post
    assert (post["recipient"]["chat_type"], "views" in post["stat"]) == ("channel", True)
    assert post["url"].startswith("https://max.ru/c/")


async def test_writing_needs_membership_and_in_channels_the_right(max_: MaxWorld) -> None:
    quiet = await max_.group(is_channel=True, rights=["read_all_messages"])
    assert shown(await max_.send(quiet, "раз")) == (403, "access.denied")
    left = await max_.group(title="Другая")
    assert (await max_.api("DELETE", f"/chats/{left}/members/me")).json() == {"success": True}
    assert shown(await max_.send(left, "раз")) == (403, "chat.denied")
    assert (await max_.api("GET", f"/chats/{left}")).json()["status"] == "removed"


async def test_a_colleague_can_write_in_a_group(max_: MaxWorld) -> None:
    await max_.subscribe()
    chat = await max_.group()
    answer = await max_.control("POST", "/operator/messages", json={"chat": str(chat), "text": "я тут"})

    assert answer.status_code == 200
    sender = max_.last["message"]["sender"]
    assert (sender["first_name"], sender["is_bot"]) == ("Мастер", False)


@pytest.mark.parametrize(
    ("kind", "content", "extra"),
    [
        ("user_added", {"by": "Марина"}, "inviter_id"),
        ("user_removed", {"by": "Марина"}, "admin_id"),
        ("bot_removed", {}, "is_channel"),
        ("chat_title_changed", {"title": "Новая"}, "title"),
    ],
)
async def test_events_of_groups_are_told(
    max_: MaxWorld, kind: str, content: dict[str, Any], extra: str
) -> None:
    await max_.subscribe()
    chat = await max_.group()
    written = await max_.act(kind, "Борис", chat=str(chat), **content)

    assert (max_.last["update_type"], max_.last["chat_id"]) == (kind, chat)
    assert max_.last["user"]["user_id"] == max_.last["user_id"] == int(written["customer_id"])
    assert extra in max_.last


async def test_the_card_of_a_dialog_and_of_a_group(max_: MaxWorld) -> None:
    dialog, group = await max_.dialog(), await max_.group(title="Мастера")

    first = (await max_.api("GET", f"/chats/{dialog}")).json()
    second = (await max_.api("GET", f"/chats/{group}")).json()

    assert (first["type"], first["status"], first["participants_count"]) == ("dialog", "active", 2)
    assert first["dialog_with_user"]["first_name"] == "Анна"
    assert (second["type"], second["title"]) == ("chat", "Мастера")
    assert set(second["participants"]) == {str(second["owner_id"]), str(BOT)}
    assert shown(await max_.api("GET", "/chats/5")) == (404, "chat.not.found")
    assert shown(await max_.api("GET", "/chats/five")) == (400, "proto.payload")


async def test_a_group_can_be_renamed_and_a_dialog_cannot(max_: MaxWorld) -> None:
    await max_.subscribe()
    group, dialog = await max_.group(), await max_.dialog()
    change = {"title": "Новая", "description": "о нас", "icon": {"url": "https://a.test/i.png"}}

    changed = (await max_.api("PATCH", f"/chats/{group}", json=change)).json()

    assert (changed["title"], changed["description"], changed["icon"]) == (
        "Новая",
        "о нас",
        {"url": "https://a.test/i.png"},
    )
    assert (max_.last["update_type"], max_.last["title"]) == ("chat_title_changed", "Новая")
    assert shown(await max_.api("PATCH", f"/chats/{dialog}", json=change)) == (403, "access.denied")
    wrongs: list[dict[str, Any]] = [
        {"title": ""},
        {"title": "x" * 201},
        {"description": 5},
        {"icon": {}},
        {"pin": "mid.0"},
    ]
    for wrong in wrongs:
        assert (await max_.api("PATCH", f"/chats/{group}", json=wrong)).status_code in {400, 404}


async def test_actions_are_taken_and_unknown_ones_refused(max_: MaxWorld) -> None:
    chat = await max_.dialog()
    for action in ("typing_on", "sending_photo", "sending_video", "sending_audio", "sending_file"):
        answer = await max_.api("POST", f"/chats/{chat}/actions", json={"action": action})
        assert answer.json() == {"success": True}
    assert (await max_.api("POST", f"/chats/{chat}/actions", json={"action": "dance"})).status_code == 400
    await max_.act("stop")
    answer = await max_.api("POST", f"/chats/{chat}/actions", json={"action": "typing_on"})
    assert shown(answer) == (403, "chat.denied")


async def test_mark_seen_is_a_setting(open_max: Opens) -> None:
    for known, status in ((True, 200), (False, 400)):
        async with open_max(mark_seen=known) as world:
            chat = await world.dialog()
            answer = await world.api("POST", f"/chats/{chat}/actions", json={"action": "mark_seen"})
            assert answer.status_code == status
            assert (await world.seen())[0]["read"] == known


async def test_a_message_can_be_pinned(max_: MaxWorld) -> None:
    chat = await max_.group()
    mid = await max_.mid(chat)
    path = f"/chats/{chat}/pin"
    assert (await max_.api("GET", path)).json() == {}

    pinned = await max_.api("PUT", path, json={"message_id": mid, "notify": False})

    assert pinned.json() == {"success": True}
    assert (await max_.api("GET", path)).json()["message"]["body"]["mid"] == mid
    assert (await max_.api("GET", f"/chats/{chat}")).json()["pinned_message"]["body"]["mid"] == mid
    assert (await max_.api("DELETE", path)).json() == {"success": True}
    assert (await max_.api("GET", path)).json() == {}
    assert (await max_.api("PUT", path, json={"message_id": 5})).status_code == 400


async def test_members_are_listed_by_pages_and_by_ids(max_: MaxWorld) -> None:
    chat = await max_.group()
    for name in ("Борис", "Марина"):
        await max_.act("user_added", name, chat=str(chat))
    boris = await customer(max_, "Борис")

    async def listed(**params: Any) -> dict[str, Any]:
        return dict((await max_.api("GET", f"/chats/{chat}/members", params=params)).json())

    first = await listed(count=3)
    second = await listed(count=3, marker=first["marker"])
    names = [m["first_name"] for m in first["members"] + second["members"]]
    assert (names[0], names[2:], "marker" in second) == ("Анна", ["Борис", "Марина"], False)
    assert [m["user_id"] for m in (await listed(user_ids=f"{boris},5"))["members"]] == [boris]
    assert (await max_.api("GET", f"/chats/{chat}/members/me")).json()["is_admin"] is True


async def test_members_are_added_to_groups_only(max_: MaxWorld) -> None:
    group, channel = await max_.group(), await max_.group(title="Канал", is_channel=True)
    boris = await customer(max_, "Борис")

    added = await max_.api("POST", f"/chats/{group}/members", json={"user_ids": [boris]})
    half = await max_.api("POST", f"/chats/{group}/members", json={"user_ids": [boris, 5]})

    assert added.json() == {"success": True}
    assert (half.json()["success"], half.json()["failed_user_ids"]) == (False, [5])
    body = {"user_ids": [boris]}
    assert shown(await max_.api("POST", f"/chats/{channel}/members", json=body)) == (400, "proto.payload")
    assert (await max_.api("POST", f"/chats/{group}/members", json={})).status_code == 400
    assert (
        await max_.api("POST", f"/chats/{await max_.dialog()}/members", json={"user_ids": [boris]})
    ).status_code == 400


async def test_members_are_removed_promoted_and_demoted(max_: MaxWorld) -> None:
    chat = await max_.group()
    await max_.act("user_added", "Борис", chat=str(chat))
    boris = await customer(max_, "Борис")
    admins = f"/chats/{chat}/members/admins"
    new = {"admins": [{"user_id": boris, "permissions": ["read_all_messages"]}]}

    async def names() -> list[str]:
        return [m["first_name"] for m in (await max_.api("GET", admins)).json()["members"]]

    assert (await max_.api("POST", admins, json=new)).json() == {"success": True}
    assert "Борис" in await names()
    assert (await max_.api("DELETE", f"{admins}/{boris}")).json() == {"success": True}
    assert "Борис" not in await names()
    assert (await max_.api("DELETE", f"{admins}/{boris}")).json()["success"] is False
    gone = {"user_id": boris, "block": "true"}
    assert (await max_.api("DELETE", f"/chats/{chat}/members", params=gone)).json() == {"success": True}
    assert (await max_.api("DELETE", f"/chats/{chat}/members", params=gone)).json()["success"] is False
    assert (await max_.api("POST", admins, json=new)).json()["success"] is False


async def test_without_the_rights_a_group_cannot_be_managed(max_: MaxWorld) -> None:
    chat = await max_.group(rights=None)
    for method, path, options in (
        ("PATCH", "", {"json": {"title": "x"}}),
        ("PUT", "/pin", {"json": {"message_id": "x"}}),
        ("POST", "/members", {"json": {"user_ids": [1]}}),
        ("POST", "/members/admins", {"json": {"admins": []}}),
    ):
        answer = await max_.api(method, f"/chats/{chat}{path}", **options)
        assert shown(answer) == (403, "access.denied")


async def test_posts_of_channels_have_comments(max_: MaxWorld) -> None:
    await max_.subscribe()
    chat = await max_.group(is_channel=True)
    post = await max_.mid(chat, "Новость")
    await max_.act("comment", "Борис", chat=str(chat), post=post, text="Когда?")
    asked = max_.last["message"]
    assert (asked["recipient"]["post_id"], asked["sender"]["first_name"]) == (post, "Борис")

    path = f"/messages/{post}/comments"
    body = {"text": "Завтра", "link": {"type": "reply", "mid": asked["body"]["mid"]}}
    answer = (await max_.api("POST", path, json=body)).json()["message"]
    one = f"{path}/{answer['body']['mid']}"
    assert (answer["recipient"]["post_id"], answer["link"]["type"]) == (post, "reply")
    named = {"comment_id": answer["body"]["mid"]}
    assert (await max_.api("PUT", path, params=named, json={"text": "Сегодня"})).json() == {"success": True}
    listed = (await max_.api("GET", path)).json()["messages"]
    assert [c["body"]["text"] for c in listed] == ["Сегодня", "Когда?"]
    assert (await max_.api("DELETE", path)).status_code == 400
    assert (await max_.api("DELETE", path, params=named)).json() == {"success": True}
    assert shown(await max_.api("GET", one)) == (404, "not.found")


async def test_comments_are_words_below_posts_and_nothing_else(max_: MaxWorld) -> None:
    channel = await max_.group(is_channel=True, rights=["write", "read_all_messages"])
    post, other = await max_.mid(channel, "Новость"), await max_.mid(channel, "Другая")
    path = f"/messages/{post}/comments"
    place = {"type": "location", "latitude": 1, "longitude": 2}
    for body in (
        {},
        {"text": "x" * 4001},
        {"text": "x", "attachments": [place]},
        {"text": "x", "link": {"type": "forward", "mid": post}},
    ):
        assert shown(await max_.api("POST", path, json=body)) == (400, "proto.payload")
    foreign = (await max_.act("comment", chat=str(channel), post=post))["message_ids"][0]
    named = {"comment_id": foreign}
    assert (await max_.api("PUT", path, params=named, json={"text": "x"})).status_code == 403
    assert (await max_.api("DELETE", path, params=named)).status_code == 403
    assert (await max_.api("GET", f"/messages/{other}/comments/{foreign}")).status_code == 404
    dialog = await max_.mid(await max_.dialog())
    assert (await max_.api("GET", f"/messages/{dialog}/comments")).status_code == 400


async def test_who_writes_in_a_group_sees_its_messages(max_: MaxWorld) -> None:
    chat = await max_.group()
    await max_.write("Борис", text="привет", chat=str(chat))
    await max_.sent(chat, "здравствуйте")
    assert [m["text"] for m in await max_.seen("Борис")] == ["привет", "здравствуйте"]
