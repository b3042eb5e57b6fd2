from typing import Any

import pytest

from tests.sandbox.vk.world import CHAT, GROUP, VkWorld


async def test_a_conversation_is_as_the_contract_shows(vk: VkWorld) -> None:
    peer = await vk.write(text="раз")
    sent = await vk.send(peer, "ответ")
    await vk.write(text="два")

    found = await vk.api("messages.getConversations")

    [item] = found["items"]
    assert (found["count"], found["unread_count"]) == (1, 1)
    assert item["last_message"]["text"] == "два"
    assert item["conversation"] == {
        "peer": {"id": peer, "type": "user", "local_id": peer},
        "version": 10_000_000 + sent + 1,
        "sort_id": {"major_id": 0, "minor_id": sent + 1},
        "last_message_id": sent + 1,
        "last_conversation_message_id": 3,
        "in_read": 0,
        "out_read": 0,
        "in_read_cmid": 0,
        "out_read_cmid": 0,
        "unread_count": 2,
        "important": False,
        "unanswered": True,
        "is_marked_unread": False,
        "can_write": {"allowed": True},
    }


async def test_the_latest_conversation_comes_first_and_pages_are_cut(vk: VkWorld) -> None:
    anna, boris = await vk.write(text="раз"), await vk.write("Борис", text="два")
    await vk.write("Анна", text="в чат", chat=str(CHAT))

    async def peers(**params: Any) -> list[int]:
        found = await vk.api("messages.getConversations", **params)
        return [item["conversation"]["peer"]["id"] for item in found["items"]]

    assert await peers() == [CHAT, boris, anna]
    assert await peers(offset=1, count=1) == [boris]
    assert await peers(filter="sorted_chats") == [CHAT]
    assert await peers(filter="important") == []
    last = (await vk.history(boris))[0]["id"]
    assert await peers(start_message_id=last) == [boris, anna]


async def test_unread_and_unanswered_are_filters(vk: VkWorld) -> None:
    anna, boris = await vk.write(text="раз"), await vk.write("Борис", text="два")
    await vk.api("messages.markAsRead", peer_id=anna)
    await vk.send(boris)

    async def peers(name: str) -> list[int]:
        found = await vk.api("messages.getConversations", filter=name)
        return [item["conversation"]["peer"]["id"] for item in found["items"]]

    assert (await peers("unread"), await peers("unanswered")) == ([boris], [anna])
    await vk.api("messages.markAsAnsweredConversation", peer_id=anna)
    assert await peers("unanswered") == []


async def test_by_ids_conversations_are_bare(vk: VkWorld) -> None:
    peer = await vk.write(text="раз")

    found = await vk.api("messages.getConversationsById", peer_ids=f"{peer},{CHAT}", extended=1)

    assert [item["peer"]["type"] for item in found["items"]] == ["user", "chat"]
    assert found["items"][1]["chat_settings"]["title"] == "Заказ 214"
    assert found["items"][1]["chat_settings"]["acl"]["can_invite"] is False
    assert [profile["first_name"] for profile in found["profiles"]] == ["Анна"]
    assert [group["id"] for group in found["groups"]] == [GROUP]
    assert (await vk.error("messages.getConversationsById", peer_ids=CHAT + 5))[0] == 917
    assert (await vk.error("messages.getConversationsById", peer_ids=5))[0] == 936
    assert (await vk.error("messages.getConversationsById"))[0] == 100


async def test_history_has_both_directions_pages_and_people_on_demand(vk: VkWorld) -> None:
    peer = await vk.write(text="раз")
    for text in ("два", "три"):
        await vk.send(peer, text)

    async def texts(**params: Any) -> list[str]:
        return [message["text"] for message in await vk.history(peer, **params)]

    assert await texts() == ["три", "два", "раз"]
    assert await texts(rev=1, offset=1) == ["два", "три"]
    assert await texts(count=1) == ["три"]
    second = (await vk.history(peer))[1]["id"]
    assert (await texts(start_message_id=second), await texts(start_message_id=second, rev=1)) == (
        ["два", "раз"],
        ["два", "три"],
    )
    whole = await vk.api("messages.getHistory", user_id=peer, extended=1, count=0)
    assert (whole["count"], whole["items"]) == (3, [])
    assert whole["conversations"][0]["peer"]["id"] == whole["profiles"][0]["id"] == peer


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("messages.getHistory", {"peer_id": 5}, 936),
        ("messages.getHistory", {"peer_id": CHAT + 7}, 927),
        ("messages.getHistory", {"peer_id": -5}, 932),
        ("messages.getHistory", {"peer_id": CHAT, "count": 201}, 100),
        ("messages.getHistory", {}, 100),
        ("messages.getConversations", {"filter": "none"}, 100),
        ("messages.getConversations", {"offset": -1}, 100),
        ("messages.getById", {}, 100),
        ("messages.getByConversationMessageId", {"peer_id": CHAT}, 100),
        ("messages.markAsRead", {"peer_id": CHAT, "message_ids": 9}, 100),
        ("messages.setActivity", {"peer_id": CHAT, "type": "dancing"}, 100),
        ("messages.setActivity", {"peer_id": -1, "type": "typing"}, 932),
        ("messages.isMessagesFromGroupAllowed", {"user_id": 1}, 100),
    ],
)
async def test_wrong_questions_have_their_codes(
    vk: VkWorld, method: str, params: dict[str, Any], code: int
) -> None:
    assert (await vk.error(method, **params))[0] == code


async def test_messages_are_read_by_id_and_by_cmid(vk: VkWorld) -> None:
    peer = await vk.write(text="длинный вопрос")
    number = (await vk.history(peer))[0]["id"]

    by_id = await vk.api("messages.getById", message_ids=f"{number},999", preview_length=7)
    by_cmid = await vk.api("messages.getById", peer_id=peer, cmids="1")
    other = await vk.api("messages.getByConversationMessageId", peer_id=peer, conversation_message_ids="1,5")

    assert (by_id["count"], by_id["items"][0]["text"]) == (1, "длинный")
    assert by_cmid == other
    assert other["items"][0]["id"] == number


async def test_the_community_reads_up_to_where_it_says(vk: VkWorld) -> None:
    peer = await vk.write(text="раз")
    await vk.write(text="два")
    await vk.write(text="три")
    await vk.subscribe()

    async def unread() -> int:
        found = await vk.api("messages.getConversationsById", peer_ids=peer)
        return int(found["items"][0].get("unread_count", 0))

    assert await vk.api("messages.markAsRead", peer_id=peer, up_to_cmid=1) == 1
    assert await unread() == 2
    second = (await vk.history(peer))[1]["id"]
    await vk.api("messages.markAsRead", peer_id=peer, message_ids=second)
    assert await unread() == 1
    await vk.api("messages.markAsRead", peer_id=peer, mark_conversation_as_read=1)
    assert await unread() == 0
    assert [message["read"] for message in await vk.seen()] == [True] * 3
    assert vk.receiver.events == []


async def test_typing_is_shown_to_the_customer_for_ten_seconds(vk: VkWorld) -> None:
    peer = await vk.write(text="раз")
    assert await vk.api("messages.setActivity", user_id=peer, type="typing") == 1

    async def note() -> str:
        listed = (await vk.control("GET", "/customers")).json()["customers"]
        return str(listed[0]["chats"][0]["note"])

    assert await note() == "typing"
    await vk.time.pass_(10)
    assert await note() == "None"


async def test_can_write_names_the_reason(vk: VkWorld) -> None:
    peer = await vk.write(text="раз")
    await vk.fault(peers={"Анна": 902})

    found = await vk.api("messages.getConversationsById", peer_ids=peer)

    assert found["items"][0]["can_write"] == {"allowed": False, "reason": 902}
