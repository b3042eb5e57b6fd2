"""VkChannel over a client: pages, names, keyboards, callback servers and what is said when VK refuses."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from core import channel as contract
from core.channel import MediaFile, WebhookRequest
from core.errors import ChannelError, ContractBroken, NotFound, OutcomeUnknown, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChatId, MessageId, UserId
from core.messages import IncomingMessage
from mcp_vk.__main__ import open_account
from mcp_vk.channel import CONFIRMING, VkChannel
from mcp_vk.client import VkClient
from mcp_vk.settings import EVENTS, TEXT_LIMIT
from mcp_vk.tools import vk_operations
from tests.contract.fake_time import FakeTime
from tests.contract.vk_side import GROUP, REPEAT_SECONDS, SECRET, SETTINGS, error

ANNA, CHAT = ChatId("77001"), 2_000_000_001
SITE = "https://shop.example.test"
BARE = f"{SITE}/webhook/vk/default"
OURS = f"{BARE}/a1b2c3d4"
MASKED = f"{BARE}/***"
PARTS = (
    contract.SendsImages,
    contract.SendsVoice,
    contract.SendsDocuments,
    contract.SendsButtons,
    contract.SendsReplies,
    contract.EditsMessages,
    contract.DeletesMessages,
    contract.ShowsTyping,
    contract.MarksRead,
    contract.KnowsProfiles,
    contract.ListsChats,
    contract.ShowsChats,
    contract.KeepsHistory,
    contract.Subscribes,
    contract.ResolvesMedia,
    contract.ShakesHands,
    contract.AnswersPresses,
    contract.TellsTroubles,
    contract.Sweeps,
)
#: What the contract does not offer to a community: videos, reactions, phone numbers, fresh keys.
LACKING = (contract.SendsVideos, contract.Reacts, contract.OpensChats, contract.HasToken, contract.OpensFiles)
RIGHTS = [{"name": name} for name in ("messages", "manage", "photos", "docs", "wall")]


class Vk:
    """Answers by method; keeps callback servers; remembers calls. `answers` may hold a list, one per call."""

    def __init__(self, confirmation: str = "", **answers: Any) -> None:
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.servers: list[dict[str, Any]] = []
        self.statuses: list[str] = []
        self.time = FakeTime()
        settings = SETTINGS.model_copy(update={"confirmation": confirmation})
        client = VkClient(settings, timing=self.time.timing, transport=httpx.MockTransport(self._answer))
        self.channel = VkChannel(client, settings)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        form = dict(parse_qsl(request.content.decode(), keep_blank_values=True))
        self.calls.append((name, form))
        answer = self.answers.get(name, self._usual(name, form))
        if isinstance(answer, list) and answer and isinstance(answer[0], dict) and name in self.answers:
            answer = answer.pop(0)
        whole = isinstance(answer, dict) and (answer.keys() & {"error", "response"})
        return httpx.Response(200, json=answer if whole else {"response": answer})

    def _usual(self, name: str, form: dict[str, str]) -> Any:
        if name == "messages.send":
            number = 50 + len(self.called(name))
            return [{"peer_id": int(form["peer_ids"]), "message_id": number, "conversation_message_id": 20}]
        if name == "groups.getCallbackConfirmationCode":
            return {"code": "a1b2c3d4"}
        if name == "groups.addCallbackServer":
            self.servers.append(server(form["url"], 9, "wait", form["secret_key"]))
            return {"server_id": 9}
        if name == "groups.deleteCallbackServer":
            self.servers = [one for one in self.servers if str(one["id"]) != form["server_id"]]
            return 1
        if name == "groups.getCallbackServers":
            if self.statuses and self.servers:
                self.servers[-1]["status"] = self.statuses.pop(0)
            return {"count": len(self.servers), "items": self.servers}
        return 1

    def called(self, name: str) -> list[dict[str, str]]:
        return [form for known, form in self.calls if known == name]


def server(url: str, number: int = 3, status: str = "ok", secret: str | None = SECRET) -> dict[str, Any]:
    shown = {"id": number, "title": "bridge", "creator_id": 1, "url": url, "status": status}
    return shown | ({"secret_key": secret} if secret is not None else {})


def row(cmid: int, text: str = "", **more: Any) -> dict[str, Any]:
    peer = {"peer_id": int(ANNA), "from_id": int(ANNA), "out": 0, "date": 1_763_800_123}
    return {**peer, "id": 50 + cmid, "conversation_message_id": cmid, "text": text, **more}


def test_it_has_every_part_that_vk_offers_to_a_community_and_no_other() -> None:
    channel = Vk().channel

    assert all(isinstance(channel, part) for part in PARTS)
    assert not [part for part in LACKING if isinstance(channel, part)]


def test_the_manifest_says_what_the_contract_says() -> None:
    limits = Vk().channel.capabilities

    assert (limits.text_limit, limits.text_unit) == (4_096, "characters")
    assert (limits.webhook_authenticity, limits.webhook_answer) == ("secret_in_body", "ok")
    assert (limits.ordered, limits.starts_chats, limits.webhook_slots) == (False, False, "many")
    assert 0 < limits.repeat_window_seconds < REPEAT_SECONDS
    assert {kind: limits.caption_limit(kind) for kind in limits.media} == {
        "image": TEXT_LIMIT,
        "voice": 0,
        "document": TEXT_LIMIT,
    }


async def test_three_communities_are_three_channels() -> None:
    names = ("club", "shop", "school")
    opened = [
        open_account(AccountId(name), SETTINGS.model_copy(update={"group_id": 5 + n}), None)  # type: ignore[arg-type]
        for n, name in enumerate(names)
    ]
    body = {"type": "message_new", "group_id": 6, "object": {"message": row(1, "Да")}}

    meanings = [channel.normalize(body) for channel in opened]
    assert [channel.account for channel in opened] == list(names)
    assert [sorted(one.foreign) for one in meanings] == [["6"], [], ["6"]]
    for channel in opened:
        await channel.aclose()


async def test_a_repeat_has_the_random_id_of_the_first() -> None:
    vk = Vk()
    for key in ("k#0", "k#0", "k#1", "", ""):
        assert await vk.channel.send_text(ANNA, "x", key=key) == "77001:20"

    ids = [form["random_id"] for form in vk.called("messages.send")]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


async def test_a_repeat_that_is_answered_without_a_number_is_found_by_its_random_id() -> None:
    """What the answer to a repeat holds is not promised (§3.1)."""
    vk = Vk(messages_send=[{"response": [{"peer_id": 77_001, "message_id": 0}]}] * 2)
    await _swallow(vk.channel.send_text(ANNA, "x", key="k"))
    random_id = int(vk.called("messages.send")[0]["random_id"])
    ours = row(7, "x", from_id=-GROUP, out=1, random_id=random_id)
    theirs = row(8, "x", random_id=random_id)
    vk.answers["messages.getHistory"] = {"response": {"items": [theirs, row(9), ours]}}

    assert await vk.channel.send_text(ANNA, "x", key="k") == "77001:7"


@pytest.mark.parametrize("history", [{"items": []}, {"items": "no"}, error(10), error(5)])
async def test_a_number_that_nobody_tells_is_an_unknown_outcome(history: Any) -> None:
    vk = Vk(messages_send=[{"response": []}], messages_getHistory=history)

    with pytest.raises(OutcomeUnknown):
        await vk.channel.send_text(ANNA, "x", key="k")


async def _swallow(sending: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        await sending


async def test_a_quote_is_named_by_its_number_in_the_chat() -> None:
    """`reply_to` takes ids of the mailbox, which group chats lack (§3.1)."""
    vk = Vk()

    await vk.channel.send_reply(ChatId(str(CHAT)), "Да", MessageId(f"{CHAT}:12"), key="k")

    [form] = vk.called("messages.send")
    assert json.loads(form["forward"]) == {
        "peer_id": CHAT,
        "conversation_message_ids": [12],
        "is_reply": True,
    }


@pytest.mark.parametrize("code", [104, 921, 969])
async def test_a_quote_that_is_gone_is_left_out_under_the_same_random_id(code: int) -> None:
    usual = {"response": [{"peer_id": 77_001, "conversation_message_id": 20}]}
    vk = Vk(messages_send=[error(code), usual])

    await vk.channel.send_reply(ANNA, "Да", MessageId("77001:12"), key="k")

    first, second = vk.called("messages.send")
    assert ("forward" in first, "forward" in second) == (True, False)
    assert first["random_id"] == second["random_id"]


async def test_a_refusal_for_another_reason_is_not_tried_without_the_quote() -> None:
    vk = Vk(messages_send=[error(914)])

    with pytest.raises(Rejected):
        await vk.channel.send_reply(ANNA, "Да", MessageId("77001:12"))
    assert len(vk.called("messages.send")) == 1


async def test_an_edit_sends_attachments_and_keyboard_again() -> None:
    """VK removes what is left out (§3.3); a link card is made anew from the text."""
    photo = {"type": "photo", "photo": {"id": 1, "owner_id": -5, "access_key": "k"}}
    doc = {"type": "doc", "doc": {"id": 2, "owner_id": -5}}
    link = {"type": "link", "link": {"url": "https://a"}}
    sticker = {"type": "sticker", "sticker": {"sticker_id": 5}}
    keyboard = {"inline": True, "one_time": False, "author_id": -5, "buttons": [[]]}
    message = row(20, "было", attachments=[photo, doc, link, sticker, None], keyboard=keyboard)
    vk = Vk(messages_getById={"response": {"items": [message]}})

    await vk.channel.edit_message(ANNA, MessageId("77001:20"), "стало")

    [form] = vk.called("messages.edit")
    assert (form["message"], form["attachment"]) == ("стало", "photo-5_1_k,doc-5_2")
    assert json.loads(form["keyboard"]) == {"inline": True, "one_time": False, "buttons": [[]]}


@pytest.mark.parametrize("items", [[], [None], [{"no": "id"}]])
async def test_a_message_that_is_gone_is_not_edited(items: Any) -> None:
    vk = Vk(messages_getById={"response": {"items": items}})

    with pytest.raises(NotFound):
        await vk.channel.edit_message(ANNA, MessageId("77001:20"), "x")
    assert vk.called("messages.edit") == []


@pytest.mark.parametrize("written", ["", "20", "77002:20", "77001:20:press:c0ffee"])
async def test_a_message_of_another_chat_is_neither_edited_nor_deleted(written: str) -> None:
    vk = Vk()

    with pytest.raises(NotFound):
        await vk.channel.edit_message(ANNA, MessageId(written), "x")
    with pytest.raises(NotFound):
        await vk.channel.delete_message(ANNA, MessageId(written))
    assert vk.calls == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([{"peer_id": 77_001, "conversation_message_id": 20, "response": 1}], None),
        ({"20": 1}, None),
        (1, None),
        ({"20": 0}, Rejected),
        ([{"peer_id": 77_001, "error": {"code": 924, "description": "no"}}], Rejected),
        ([{"peer_id": 77_001, "error": {"code": 104, "description": "no"}}], NotFound),
    ],
)
async def test_a_deletion_answers_in_two_shapes(answer: Any, kind: type[ChannelError] | None) -> None:
    vk = Vk(messages_delete={"response": answer})
    deleting = vk.channel.delete_message(ANNA, MessageId("77001:20"))

    if kind is None:
        await deleting
        return
    with pytest.raises(kind):
        await deleting


async def test_a_text_button_waits_for_no_answer_and_a_callback_button_does() -> None:
    vk = Vk()
    pushed = {"peer_id": 77_001, "user_id": 5, "event_id": "c0ffee", "payload": {"a": 1}}
    text = {"type": "message_new", "group_id": GROUP, "object": {"message": row(1, "Да", payload="{}")}}
    press = {"type": "message_event", "group_id": GROUP, "object": pushed}

    for body in (text, press):
        [arrival] = vk.channel.normalize(body).arrivals
        stored = IncomingMessage.model_validate_json(arrival.message.model_dump_json())
        await vk.channel.answer_press(stored)

    [form] = vk.called("messages.sendMessageEventAnswer")
    assert (form["peer_id"], form["user_id"], form["event_id"]) == ("77001", "5", "c0ffee")
    vk.answers["messages.sendMessageEventAnswer"] = error(100, "event_id is invalid")
    with pytest.raises(ContractBroken):
        await vk.channel.answer_press(stored)


CONVERSATION = {
    "peer": {"id": 77_001, "type": "user", "local_id": 77_001},
    "in_read_cmid": 3,
    "out_read_cmid": 2,
    "can_write": {"allowed": True},
}


async def test_a_dialog_shows_the_person_and_a_group_chat_its_title() -> None:
    group_chat = {"peer": {"id": CHAT, "type": "chat"}, "chat_settings": {"title": "Заказ 214"}}
    community = {"peer": {"id": -5, "type": "group"}}
    answer = {
        "count": 4,
        "items": [
            {"conversation": CONVERSATION, "last_message": row(1, "Сколько?")},
            {"conversation": group_chat},
            {"conversation": community, "last_message": None},
            {"conversation": {"peer": None}},
        ],
        "profiles": [{"id": 77_001, "first_name": "Анна", "last_name": "Ли"}],
        "groups": [{"id": 5, "name": "Соседи"}],
    }
    page = await Vk(messages_getConversations={"response": answer}).channel.list_chats(4, "8")

    assert [chat.model_dump(exclude_defaults=True) for chat in page.chats] == [
        {
            "chat_id": ANNA,
            "client_name_untrusted": "Анна Ли",
            "client_user_id": ANNA,
            "last_message_untrusted": "Сколько?",
            "updated_at": "2025-11-22T08:28:43+00:00",
        },
        {"chat_id": str(CHAT), "client_name_untrusted": "Заказ 214"},
        {"chat_id": "-5", "client_name_untrusted": "Соседи", "client_user_id": "-5"},
    ]
    assert page.next_cursor == "12"


async def test_the_last_page_has_no_cursor() -> None:
    page = await Vk(messages_getHistory={"response": {"items": [row(1)]}}).channel.list_messages(ANNA, 2, "")

    assert page.next_cursor == ""


@pytest.mark.parametrize("cursor", ["-1", "x", "٣", "9" * 10, "1.5"])
async def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    vk = Vk()

    for asking in (vk.channel.list_chats(5, cursor), vk.channel.list_messages(ANNA, 5, cursor)):
        with pytest.raises(Rejected, match="cursor"):
            await asking
    assert vk.calls == []


@pytest.mark.parametrize(("limit", "asked"), [(0, "1"), (50, "50"), (500, "200")])
async def test_a_page_is_as_large_as_vk_allows(limit: int, asked: str) -> None:
    vk = Vk(messages_getHistory={"response": {"items": []}})

    await vk.channel.list_messages(ANNA, limit, "")
    assert vk.called("messages.getHistory")[0]["count"] == asked


async def test_read_means_us_for_incoming_and_the_customer_for_outgoing() -> None:
    rows = [row(number, out=number % 2) for number in (4, 3, 2, 1)]
    answer = {"items": rows, "conversations": [CONVERSATION]}
    page = await Vk(messages_getHistory={"response": answer}).channel.list_messages(ANNA, 9, "")

    assert [(one.direction, one.read) for one in page.messages] == [
        ("in", False),
        ("out", False),
        ("in", True),
        ("out", True),
    ]


async def test_the_history_shows_files_and_words_as_a_sender_looks_for_them() -> None:
    sizes = [{"url": "https://i/1", "width": 1, "height": 1}, {"url": "https://i/2", "width": 2, "height": 2}]
    photo = {"type": "photo", "photo": {"id": 1, "owner_id": 2, "sizes": sizes}}
    voice = {"type": "audio_message", "audio_message": {"id": 3, "owner_id": 2, "transcript": "Алло"}}
    link = {"type": "link", "link": {"url": "https://l", "title": "Ссылка"}}
    rows = [
        row(5, "подпись", attachments=[photo]),
        row(4, attachments=[voice], date=None),
        row(3, "наше", attachments=[link], out=1),
        row(2, attachments=[{"type": "sticker", "sticker": {}}]),
        row(1, geo={"coordinates": {"latitude": 1, "longitude": 2}}),
    ]
    page = await Vk(messages_getHistory={"response": {"items": rows}}).channel.list_messages(ANNA, 9, "")

    shown = [(one.type, one.text_untrusted, one.image_url, one.voice_file_id) for one in page.messages]
    assert shown == [
        ("image", "подпись", "https://i/2", ""),
        ("voice", "Алло", "", "77001:4:audio_message2_3"),
        ("link", "наше", "", ""),
        ("sticker", "", "", ""),
        ("location", "", "", ""),
    ]
    assert page.messages[1].sent_at.startswith("9999-")


async def test_a_link_is_made_fresh_from_the_message() -> None:
    doc = {"type": "doc", "doc": {"id": 2, "owner_id": 5, "url": "https://d/fresh"}}
    inner = {"text": "", "attachments": [doc]}
    vk = Vk(messages_getById={"response": {"items": [row(7, fwd_messages=[inner])]}})

    link = await vk.channel.media_link("77001:7:doc5_2")

    assert (link.url, link.expires_in) == ("https://d/fresh", 600)
    assert vk.called("messages.getById")[0]["cmids"] == "7"


@pytest.mark.parametrize("file_id", ["77001:7:doc5_3", "77001:7:video5_4", "77001:7:", "77001:7:photo5_2"])
async def test_a_file_without_a_link_is_not_found(file_id: str) -> None:
    video = {"type": "video", "video": {"id": 4, "owner_id": 5, "player": "https://p"}}
    vk = Vk(messages_getById={"response": {"items": [row(7, attachments=[video])]}})

    with pytest.raises(NotFound):
        await vk.channel.media_link(file_id)


@pytest.mark.parametrize("file_id", ["", "x", "77001", "77001:7", "77001:x:doc5_3", "v:1:doc1_1", ":" * 500])
async def test_what_names_no_file_reaches_nobody(file_id: str) -> None:
    vk = Vk()

    with pytest.raises(NotFound):
        await vk.channel.media_link(file_id)
    assert vk.calls == []


@pytest.mark.parametrize("user_id", ["", "x", "-5", str(CHAT)])
async def test_only_persons_have_profiles(user_id: str) -> None:
    vk = Vk()

    with pytest.raises(NotFound):
        await vk.channel.get_profile(UserId(user_id))
    assert vk.calls == []


async def test_an_unknown_chat_is_not_found() -> None:
    with pytest.raises(NotFound):
        await Vk(messages_getConversationsById={"response": {"items": []}}).channel.get_chat(ANNA)


async def test_a_message_that_cannot_be_read_does_not_end_the_sweep() -> None:
    full = [row(cmid) for cmid in range(201, 2, -1)]
    pages = [{"response": {"items": items}} for items in ([*full, {"text": "no number"}], [row(1), row(2)])]
    conversations = {"response": {"items": [{"conversation": CONVERSATION, "last_message": row(201)}]}}
    vk = Vk(messages_getConversations=conversations, messages_getHistory=pages)

    found = await vk.channel.arrivals_since(datetime.fromtimestamp(1_763_800_000, UTC), [])

    assert [one.message.external_message_id for one in found] == [f"77001:{n}" for n in range(1, 202)]
    assert [form["offset"] for form in vk.called("messages.getHistory")] == ["0", "200"]


async def test_whether_we_may_write_is_asked_for_an_account() -> None:
    vk = Vk(messages_isMessagesFromGroupAllowed={"response": {"is_allowed": 0}})
    [operation] = vk_operations({DEFAULT_ACCOUNT: vk.channel})

    answer = await operation.call({"user_id": "77001"})
    assert answer.model_dump() == {"user_id": "77001", "may_write": False}
    with pytest.raises(NotFound):
        await operation.call({"user_id": "77001", "account": "other"})


@pytest.mark.parametrize(
    "given", [SITE, f"{SITE}/", f"{SITE}/webhook/vk", f"{SITE}/webhook/vk/", BARE, f"{BARE}/", f"{BARE}/01d"]
)
async def test_an_address_is_completed_and_carries_the_code(given: str) -> None:
    vk = Vk()
    vk.statuses = ["", "wait", "ok"]
    vk.servers = [server("https://crm.example.test/x", 1, "ok", "theirs")]

    status = await vk.channel.subscribe_webhook(given)

    [added] = vk.called("groups.addCallbackServer")
    assert (added["url"], added["title"], added["secret_key"]) == (OURS, "eldoleado", SECRET)
    [settings] = vk.called("groups.setCallbackSettings")
    wanted = {*EVENTS, "message_typing_state"}
    assert {event for event, flag in settings.items() if flag == "1"} & wanted == wanted
    assert status.model_dump() == {"subscribed": True, "urls": ["https://crm.example.test/***", MASKED]}
    assert vk.time.slept == list(CONFIRMING[:2])


async def test_an_address_behind_a_proxy_stays_as_it_is() -> None:
    """The code cannot travel in it; this process remembers the code instead."""
    vk = Vk()
    vk.statuses = ["ok"] * 3

    await vk.channel.subscribe_webhook(f"{SITE}/hooks/7/")

    assert vk.called("groups.addCallbackServer")[0]["url"] == f"{SITE}/hooks/7"
    assert vk.channel.handshake(check()) == "a1b2c3d4"


@pytest.mark.parametrize(
    "given",
    [*("shop.test", "ftp://shop.test", "https://", "https:// x", "https://u:p@shop.test", f"{BARE}?x=1")],
)
async def test_an_address_that_nobody_can_call_is_refused(given: str) -> None:
    vk = Vk()

    with pytest.raises(Rejected, match="address"):
        await vk.channel.subscribe_webhook(given)
    assert vk.calls == []


async def test_a_living_server_is_kept_and_dead_ones_of_ours_go() -> None:
    vk = Vk()
    other = server(f"{SITE}/webhook/vk/school/beef", 1, "failed", "theirs")
    dead = [
        server(OURS, 2, "failed"),
        server(BARE, 4, "ok", "an old secret"),
        server(OURS, 5, "unconfigured"),
    ]
    vk.servers = [other, *dead, server(f"{BARE}/cafe", 6)]

    assert (await vk.channel.subscribe_webhook(SITE)).subscribed

    assert [one["id"] for one in vk.servers] == [1, 6]
    assert vk.called("groups.addCallbackServer") == []


async def test_a_confirmation_that_another_replica_began_is_awaited() -> None:
    vk = Vk()
    vk.servers = [server(OURS, 4, "wait")]
    vk.statuses = ["wait", "wait", "ok"]

    assert (await vk.channel.subscribe_webhook(SITE)).subscribed
    assert (vk.called("groups.addCallbackServer"), vk.called("groups.deleteCallbackServer")) == ([], [])
    assert len(vk.called("groups.setCallbackSettings")) == 1


async def test_a_confirmation_that_never_ends_is_begun_anew() -> None:
    vk = Vk()
    vk.servers = [server(OURS, 4, "wait")]
    vk.statuses = ["wait"] * (1 + len(CONFIRMING)) + ["ok"]

    assert (await vk.channel.subscribe_webhook(SITE)).subscribed
    assert [form["server_id"] for form in vk.called("groups.deleteCallbackServer")] == ["4"]
    assert [one["id"] for one in vk.servers] == [9]


@pytest.mark.parametrize("last", ["failed", "wait"])
async def test_a_server_that_is_not_confirmed_is_taken_away_again(last: str) -> None:
    vk = Vk()
    vk.servers = [server("https://crm.example.test/x", 1, "ok", "theirs")]
    vk.statuses = ["ok", "wait", *[last] * 9]

    with pytest.raises(Rejected, match="Can the internet reach it"):
        await vk.channel.subscribe_webhook(SITE)
    assert [one["id"] for one in vk.servers] == [1]
    assert sum(vk.time.slept) <= sum(CONFIRMING)


@pytest.mark.parametrize(
    ("known", "subscribed"),
    [
        (server(OURS), True),
        (server(f"{SITE}/elsewhere"), True),
        (server(OURS, secret=None), True),
        (server(f"{SITE}/elsewhere", secret=None), False),
        (server(OURS, secret="old"), False),
        (server(OURS, secret=""), False),
        (server(OURS, status="failed"), False),
        (server(OURS, status="wait"), False),
    ],
)
async def test_subscribed_means_a_confirmed_server_with_our_secret(
    known: dict[str, Any], *, subscribed: bool
) -> None:
    vk = Vk()
    vk.servers = [known]

    assert (await vk.channel.webhook_status()).subscribed == subscribed


async def test_addresses_of_others_are_shown_without_their_paths() -> None:
    vk = Vk()
    vk.servers = [
        server("https://crm.example.test/hooks/s3cret", 1),
        server("https://user:pw@crm.example.test/x", 2),
        server("https://crm.example.test/x?key=s3cret", 3),
        server(f"{SITE}/webhook/vk/school/beef", 4),
        server(f"{SITE}/webhook/vk/school", 5),
    ]

    shown = (await vk.channel.webhook_status()).urls
    assert shown == [
        "https://crm.example.test/***",
        "***",
        "***",
        f"{SITE}/webhook/vk/school/***",
        f"{SITE}/webhook/vk/school",
    ]


@pytest.mark.parametrize("given", [SITE, BARE, OURS, MASKED])
async def test_a_subscription_ends_by_any_of_its_names(given: str) -> None:
    vk = Vk()
    vk.servers = [server("https://crm.example.test/x", 1), server(OURS, 2), server(BARE, 3, "failed")]

    await vk.channel.unsubscribe_webhook(given)

    assert [one["id"] for one in vk.servers] in ([1], [1, 3])


def check(**changes: Any) -> WebhookRequest:
    body = {"type": "confirmation", "group_id": GROUP, "event_id": "e", "v": "5.199", "secret": SECRET}
    changed = {name: value for name, value in {**body, **changes}.items() if value is not None}
    return WebhookRequest(json.dumps(changed).encode(), {})


@pytest.mark.parametrize(
    ("configured", "in_path", "answer"),
    [
        ("", "a1b2c3d4", "a1b2c3d4"),
        ("c0nfigured", "", "c0nfigured"),
        ("c0nfigured", "a1b2c3d4", "a1b2c3d4"),
        ("", "", None),
        ("", "<b>code</b>", None),
    ],
)
def test_the_code_is_in_the_address_or_configured(configured: str, in_path: str, answer: str | None) -> None:
    request = WebhookRequest(check().body, {}, secret=in_path)

    assert Vk(configured).channel.handshake(request) == answer


def test_a_check_may_come_without_the_secret() -> None:
    """§4.3: event_id, v and secret may be absent."""
    bare = check(event_id=None, v=None, secret=None)

    assert Vk("c0nfigured").channel.handshake(bare) == "c0nfigured"


@pytest.mark.parametrize(
    "forged",
    [
        check(group_id=5),
        check(group_id=str(GROUP)),
        check(group_id=None),
        check(secret=SECRET[:-1]),
        check(secret=7),
        check(type="message_new", text="confirmation"),
        WebhookRequest(b"confirmation", {}),
        WebhookRequest(b'["confirmation"]', {}),
        WebhookRequest(b"", {}, method="GET"),
    ],
)
def test_a_check_that_does_not_prove_itself_gets_no_code(forged: WebhookRequest) -> None:
    assert Vk("c0nfigured").channel.handshake(forged) is None


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "x", "пароль", None, 5, [SECRET]])
def test_any_other_secret_is_refused(secret: Any) -> None:
    body = {"type": "message_new", "group_id": GROUP, "secret": secret}

    assert not Vk().channel.verify(WebhookRequest(json.dumps(body).encode(), {}))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    channel = Vk().channel

    assert not channel.verify(WebhookRequest(body, {"x-secret": SECRET}, secret=SECRET))


async def test_a_healthy_account_has_no_troubles() -> None:
    vk = Vk(
        groups_getTokenPermissions={"response": {"permissions": RIGHTS}},
        groups_getById={"response": {"groups": [{"id": GROUP, "name": "М"}]}},
        groups_getCallbackSettings={"response": {"events": dict.fromkeys(EVENTS, 1)}},
    )
    vk.servers = [server(OURS)]

    assert await vk.channel.troubles() == []


async def test_a_key_of_another_community_is_told() -> None:
    vk = Vk(
        groups_getTokenPermissions={"response": {"permissions": RIGHTS}},
        groups_getById={"response": {"groups": [{"id": 5, "name": "Не мы"}]}},
    )

    [trouble] = await vk.channel.troubles()
    assert (trouble.code, "another community" in trouble.detail) == ("credentials_refused", True)


async def test_an_event_that_no_server_of_ours_gets_is_told() -> None:
    """Two may live side by side; what either gets is enough."""
    vk = Vk(
        groups_getTokenPermissions={"response": {"permissions": RIGHTS}},
        groups_getById={"response": {"groups": []}},
        groups_getCallbackSettings=[
            {"response": {"events": {"message_new": 1, "message_reply": 0}}},
            {"response": {"events": dict.fromkeys(EVENTS[2:], 1)}},
        ],
    )
    vk.servers = [server(OURS, 1), server(BARE, 2), server(BARE, 3, "failed")]

    [trouble] = await vk.channel.troubles()
    assert trouble.code == "deliveries_failing"
    assert "deliver message_reply:" in trouble.detail


@pytest.mark.parametrize("image", [MediaFile(b"RIFF", "image/webp", "a.webp")])
async def test_a_picture_that_vk_would_refuse_is_not_uploaded(image: MediaFile) -> None:
    vk = Vk()

    with pytest.raises(Rejected):
        await vk.channel.send_image(ANNA, image)
    assert vk.calls == []
