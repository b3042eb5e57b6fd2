"""MaxChannel over a client: files, buttons, history, sweeps, webhooks and what is said when MAX refuses."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from core import channel as contract
from core.channel import MediaFile, WebhookRequest
from core.errors import NotFound, PeerUnreachable, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChatId, MessageId
from mcp_max.channel import MaxChannel
from mcp_max.client import MaxClient
from mcp_max.tools import max_operations
from tests.contract.fake_time import FakeTime
from tests.contract.max_side import ANNA, BOT, SETTINGS, WEBHOOK_SECRET

CHAT = ChatId("90010")
T = 1_763_800_000_000
OURS = "https://shop.example.test/webhook/max/default"
CRM = "https://crm.example.test/hooks/s3cret?key=s3cret"
PNG = MediaFile(b"\x89PNG", "image/png", "a.png")
SENT = {"message": {"body": {"mid": "mid.new", "seq": 9, "text": "x"}}}


def row(number: int, *, own: bool = False, time: int | None = None, **body: Any) -> dict[str, Any]:
    """A message of the history; later ones have larger numbers."""
    sender = {"user_id": BOT if own else ANNA, "first_name": "Бот" if own else "Анна", "is_bot": own}
    content = {"mid": f"mid.{number}", "seq": number, "text": f"слова {number}"} | body
    place = {"chat_id": int(CHAT), "chat_type": "dialog", "user_id": ANNA if own else BOT}
    return {"sender": sender, "recipient": place, "timestamp": T + (time or number * 1000), "body": content}


class Max:
    """Answers by method and path; keeps subscriptions and history; remembers calls."""

    def __init__(self, account: AccountId = DEFAULT_ACCOUNT, **settings: Any) -> None:
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.answers: dict[str, list[Any]] = {}
        self.urls: list[str] = []
        self.rows: list[Any] = []
        self.from_is_newer = True
        known = SETTINGS.model_copy(update={"bot_id": BOT, **settings})
        client = MaxClient(known, timing=FakeTime().timing, transport=httpx.MockTransport(self._answer))
        self.channel = MaxChannel(client, known, account=account)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        is_json = request.headers.get("content-type") == "application/json"
        body = json.loads(request.content) if is_json else None
        line, query = f"{request.method} {request.url.path}", dict(request.url.params)
        self.calls.append((line, query, body))
        if self.answers.get(line):
            answer = self.answers[line].pop(0)
            return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
        return httpx.Response(200, json=self._usual(line, query, body))

    def _usual(self, line: str, query: dict[str, str], body: Any) -> Any:
        if line == "POST /subscriptions":
            self.urls = [*(url for url in self.urls if url != body["url"]), body["url"]]
        if line == "DELETE /subscriptions":
            self.urls.remove(query["url"])
        if line == "GET /messages":
            return {"messages": self._page(query)}
        if line.startswith("GET /messages/"):
            mid = line.rpartition("/")[2]
            return next((one for one in self.rows if one["body"]["mid"] == mid), row(0, mid=mid))
        return {
            "POST /messages": SENT,
            "POST /uploads": {"url": "https://up.example.test/1", "token": "early"},
            "POST /1": {"photos": {"k": {"token": "late"}}, "token": "late"},
            "GET /me": {"user_id": BOT},
        }.get(line, {"success": True, "subscriptions": [{"url": url, "time": 1} for url in self.urls]})

    def _page(self, query: dict[str, str]) -> list[Any]:
        edge = int(query.get("from", 0))
        newest_first = self.rows[::-1]
        if edge and self.from_is_newer:
            newest_first = [one for one in newest_first if one["timestamp"] <= edge]
        elif edge:
            newest_first = [one for one in newest_first if one["timestamp"] >= edge]
        return newest_first[: int(query["count"])]

    def sent(self, line: str = "POST /messages") -> list[Any]:
        return [body for known, _, body in self.calls if known == line]


def refused(status: int, code: str, message: str = "") -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": message})


def test_it_has_every_part_that_max_can_serve_and_no_other() -> None:
    """GET /chats is gone, there are no profiles by user, reactions and read marks (§0, §2)."""
    channel = Max().channel
    served = {
        part.__name__
        for part in vars(contract).values()
        if getattr(part, "_is_runtime_protocol", False) and isinstance(channel, part)
    }

    assert served == {
        "SendsImages",
        "SendsVoice",
        "SendsVideos",
        "SendsDocuments",
        "SendsButtons",
        "SendsReplies",
        "EditsMessages",
        "DeletesMessages",
        "ShowsTyping",
        "ShowsChats",
        "KeepsHistory",
        "Subscribes",
        "ResolvesMedia",
        "AnswersPresses",
        "Sweeps",
    }


@pytest.mark.parametrize(
    ("send", "kind", "file", "payload"),
    [
        ("send_image", "image", PNG, {"photos": {"k": {"token": "late"}}}),
        ("send_video", "video", MediaFile(b"....ftyp", "video/mp4", "a.mp4"), {"token": "early"}),
        ("send_document", "file", MediaFile(b"%PDF", "application/pdf", "a.pdf"), {"photos": ...}),
    ],
)
async def test_a_file_is_uploaded_and_sent_with_its_words(
    send: str, kind: str, file: MediaFile, payload: Any
) -> None:
    vendor = Max()
    if kind == "file":
        vendor.answers["POST /1"], payload = [{"token": "late"}], {"token": "late"}

    assert await getattr(vendor.channel, send)(CHAT, file, caption="Вот") == "mid.new"
    assert vendor.calls[0][1] == {"type": kind}
    assert vendor.sent() == [{"text": "Вот", "attachments": [{"type": kind, "payload": payload}]}]


async def test_voice_stands_alone() -> None:
    vendor = Max()

    await vendor.channel.send_voice(CHAT, MediaFile(b"OggS", "audio/ogg", "v.ogg"), caption="не сюда")

    assert vendor.sent() == [{"attachments": [{"type": "audio", "payload": {"token": "early"}}]}]


@pytest.mark.parametrize(
    ("send", "file"),
    [
        ("send_image", MediaFile(b"RIFF", "image/webp", "a.webp")),
        ("send_image", MediaFile(bytes(50 * 1024 * 1024 + 1))),
        ("send_video", MediaFile(b"x", "video/avi", "a.avi")),
    ],
)
async def test_a_file_that_max_would_refuse_is_not_uploaded(send: str, file: MediaFile) -> None:
    vendor = Max()

    with pytest.raises(Rejected):
        await getattr(vendor.channel, send)(CHAT, file)
    assert vendor.calls == []


async def test_nothing_is_uploaded_for_a_chat_that_cannot_be() -> None:
    vendor = Max()

    with pytest.raises(NotFound):
        await vendor.channel.send_image(ChatId("0"), PNG)
    assert vendor.calls == []


@pytest.mark.parametrize(
    ("count", "rows"), [(1, [1]), (3, [1] * 3), (30, [1] * 30), (31, [2] * 15 + [1]), (210, [7] * 30)]
)
async def test_buttons_fill_the_thirty_rows(count: int, rows: list[int]) -> None:
    vendor = Max()

    await vendor.channel.send_buttons(CHAT, "Когда?", [f"Время {number}" for number in range(count)])

    [body] = vendor.sent()
    [keyboard] = body["attachments"]
    buttons = keyboard["payload"]["buttons"]
    assert [len(row) for row in buttons] == rows
    assert (body["text"], buttons[0][0]) == (
        "Когда?",
        {"type": "callback", "text": "Время 0", "payload": "Время 0"},
    )


@pytest.mark.parametrize("count", [0, 211])
async def test_more_buttons_than_max_takes_are_refused(count: int) -> None:
    with pytest.raises(Rejected, match="210"):
        await Max().channel.send_buttons(CHAT, "Когда?", ["x"] * count)


async def test_a_reply_quotes_its_message() -> None:
    vendor = Max()

    await vendor.channel.send_reply(CHAT, "Да", MessageId("mid.5"))

    assert vendor.sent() == [{"text": "Да", "link": {"type": "reply", "mid": "mid.5"}}]


async def test_a_reply_to_what_is_gone_is_sent_without_the_quote() -> None:
    vendor = Max()
    vendor.answers["POST /messages"] = [refused(404, "not.found", "Message mid.5 not found")]

    assert await vendor.channel.send_reply(CHAT, "Да", MessageId("mid.5")) == "mid.new"
    assert [body.get("link") for body in vendor.sent()] == [{"type": "reply", "mid": "mid.5"}, None]


async def test_a_reply_to_somebody_who_left_is_not_tried_twice() -> None:
    vendor = Max()
    vendor.answers["POST /messages"] = [refused(404, "dialog.not.found")]

    with pytest.raises(PeerUnreachable):
        await vendor.channel.send_reply(CHAT, "Да", MessageId("mid.5"))
    assert len(vendor.sent()) == 1


async def test_an_edit_changes_the_words_only() -> None:
    vendor = Max()
    await vendor.channel.edit_message(CHAT, MessageId("mid.5"), "От 1400")

    assert vendor.calls[1:] == [("PUT /messages", {"message_id": "mid.5"}, {"text": "От 1400"})]


async def test_a_late_edit_names_the_rule() -> None:
    vendor = Max()
    vendor.answers["PUT /messages"] = [{"success": False, "message": "too old"}]

    with pytest.raises(Rejected, match=r"too old”\. MAX changes only our own .* 7 days"):
        await vendor.channel.edit_message(CHAT, MessageId("mid.5"), "От 1400")


async def test_typing_and_deleting_reach_max() -> None:
    vendor = Max()
    await vendor.channel.show_typing(CHAT)
    await vendor.channel.delete_message(CHAT, MessageId("mid.5"))

    assert vendor.calls == [
        ("POST /chats/90010/actions", {}, {"action": "typing_on"}),
        ("GET /messages/mid.5", {}, None),
        ("DELETE /messages", {"message_id": "mid.5"}, None),
    ]


@pytest.mark.parametrize(("name", "answered"), [("callback", 1), ("bot_started", 0)])
async def test_a_press_is_answered_and_a_start_is_not(name: str, answered: int) -> None:
    vendor = Max()
    update: dict[str, Any] = {
        "update_type": name,
        "timestamp": T,
        "chat_id": 90_010,
        "user": {"user_id": ANNA},
    }
    if name == "callback":
        press = {"callback_id": "cbk-1", "user": {"user_id": ANNA}, "payload": "yes"}
        update = {"update_type": "message_callback", "timestamp": T, "callback": press}

    await vendor.channel.answer_press(vendor.channel.normalize(update).arrivals[0].message)

    assert (
        vendor.calls == [("POST /answers", {"callback_id": "cbk-1"}, {"notification": "Принято"})][:answered]
    )


async def test_a_dialog_shows_its_customer_and_a_group_its_title() -> None:
    vendor = Max()
    anna = {"user_id": ANNA, "first_name": "Анна", "last_name": "Котова"}
    vendor.answers["GET /chats/90010"] = [
        {"chat_id": 90_010, "type": "dialog", "last_event_time": T, "dialog_with_user": anna}
    ]
    vendor.answers["GET /chats/-7"] = [{"chat_id": -7, "type": "chat", "title": "Мастера"}]

    dialog, group = await vendor.channel.get_chat(CHAT), await vendor.channel.get_chat(ChatId("-7"))

    assert dialog.model_dump(exclude_defaults=True) == {
        "chat_id": "90010",
        "client_name_untrusted": "Анна Котова",
        "client_user_id": str(ANNA),
        "updated_at": "2025-11-22T08:26:40+00:00",
    }
    assert group.model_dump(exclude_defaults=True) == {"chat_id": "-7", "client_name_untrusted": "Мастера"}


async def test_the_history_shows_who_wrote_what() -> None:
    vendor = Max()
    photo = {"type": "image", "payload": {"url": "https://i.example.test/1"}}
    quote = {"type": "reply", "message": {"mid": "mid.1"}}
    vendor.rows = [
        row(1),
        {**row(2, own=True, text="От 1500"), "link": quote},
        row(3, text=None, attachments=[photo]),
        "nonsense",
    ]

    page = await vendor.channel.list_messages(CHAT, 20, "")

    assert [
        (m.message_id, m.direction, m.type, m.text_untrusted, m.image_url, m.reply_to) for m in page.messages
    ] == [
        ("mid.3", "in", "image", "", "https://i.example.test/1", ""),
        ("mid.2", "out", "text", "От 1500", "", "mid.1"),
        ("mid.1", "in", "text", "слова 1", "", ""),
    ]
    assert page.messages[2].sent_at == "2025-11-22T08:26:41+00:00"
    assert page.next_cursor == ""


async def test_our_own_words_stand_in_the_history_as_we_sent_them() -> None:
    """The sender looks for a lost message by its words, also when MAX made a link of them."""
    vendor = Max()
    share = {"type": "share", "payload": {"url": "https://example.test/"}, "title": "Пример"}
    vendor.rows = [row(1, own=True, text="адрес example.test", attachments=[share])]

    page = await vendor.channel.list_messages(CHAT, 20, "")

    assert page.messages[0].text_untrusted == "адрес example.test"


async def test_a_message_without_a_time_has_that_of_its_neighbour() -> None:
    vendor = Max()
    vendor.rows = [{**row(1), "timestamp": None}, row(2)]

    page = await vendor.channel.list_messages(CHAT, 20, "")

    assert len({message.sent_at for message in page.messages}) == 1


async def _walk(vendor: Max, size: int) -> list[str]:
    shown, cursor = [], ""
    for _ in range(20):
        page = await vendor.channel.list_messages(CHAT, size, cursor)
        shown += [message.message_id for message in page.messages]
        cursor = page.next_cursor
        if not cursor:
            break
    return shown


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
async def test_pages_of_history_follow_each_other_without_gap_and_repeat(size: int) -> None:
    """Two messages share a moment; the cursor tells them apart by their place in the chat."""
    vendor = Max()
    vendor.rows = [row(number, time=4_000 if number in (4, 5) else None) for number in range(1, 8)]

    assert await _walk(vendor, size) == [f"mid.{number}" for number in range(7, 0, -1)]


async def test_a_wrong_guess_about_the_edges_ends_the_history_and_repeats_nothing() -> None:
    """§12: nobody has checked which of `from` and `to` is the newer edge."""
    vendor = Max()
    vendor.from_is_newer = False
    vendor.rows = [row(number) for number in range(1, 8)]

    assert await _walk(vendor, 3) == ["mid.7", "mid.6", "mid.5"]


@pytest.mark.parametrize("cursor", ["-1", "x", "5", "5:", "٣:1", "1:1:1", f"{'9' * 16}:1"])
async def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected, match="cursor"):
        await Max().channel.list_messages(CHAT, 20, cursor)


@pytest.mark.parametrize(("limit", "asked"), [(0, "1"), (50, "50"), (500, "100")])
async def test_a_page_is_as_large_as_max_allows(limit: int, asked: str) -> None:
    vendor = Max()
    await vendor.channel.list_messages(CHAT, limit, "")

    assert vendor.calls[0][1]["count"] == asked


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(T / 1000 + seconds, UTC)


async def test_a_sweep_finds_what_customers_wrote_since_as_a_webhook_would_have_told_it() -> None:
    vendor = Max()
    vendor.rows = [row(1), row(2), row(3, own=True), row(4), row(5, text=None)]
    told = [
        vendor.channel.normalize({"update_type": "message_created", "timestamp": T, "message": one})
        for one in (row(2), row(4))
    ]

    found = await vendor.channel.arrivals_since(_moment(2), [CHAT])

    assert [one.event_key for one in found] == [one.arrivals[0].event_key for one in told]
    assert [one.message.text for one in found] == ["слова 2", "слова 4"]
    assert [one.message.timestamp for one in found] == [_moment(2), _moment(4)]


async def test_a_sweep_walks_back_at_most_five_pages() -> None:
    vendor = Max()
    vendor.rows = [row(number) for number in range(1, 701)]

    found = await vendor.channel.arrivals_since(_moment(0), [CHAT])

    assert len([call for call in vendor.calls if call[0] == "GET /messages"]) == 5
    assert [found[0].message.text, found[-1].message.text] == ["слова 205", "слова 700"]


async def test_a_sweep_stops_where_the_time_begins() -> None:
    vendor = Max()
    vendor.rows = [row(number) for number in range(1, 301)]

    found = await vendor.channel.arrivals_since(_moment(150), [CHAT])

    assert len(found) == 151
    assert len([call for call in vendor.calls if call[0] == "GET /messages"]) == 2


async def test_a_sweep_passes_over_chats_that_are_closed_to_us_and_mixes_the_rest_in_order() -> None:
    vendor = Max()
    closed = refused(403, "chat.denied", "Key: error.dialog.suspended, args: []")
    vendor.answers["GET /messages"] = [closed, {"messages": [row(2)]}, {"messages": [row(3), row(1)]}]

    found = await vendor.channel.arrivals_since(
        _moment(0), [CHAT, ChatId("user:5"), ChatId("90011"), ChatId("90012")]
    )

    assert [one.message.text for one in found] == ["слова 1", "слова 2", "слова 3"]


@pytest.mark.parametrize(
    ("urls", "link"),
    [
        ({"mp4_144": "https://v/1", "mp4_1080": "https://v/2", "hls": "https://v/3"}, "https://v/2"),
        ({"hls": "https://v/3"}, "https://v/3"),
        ({"mp4_144": None, "hls": "https://v/3", "novelty": 5}, "https://v/3"),
    ],
)
async def test_a_video_has_its_largest_link(urls: dict[str, Any], link: str) -> None:
    vendor = Max()
    vendor.answers["GET /videos/tok"] = [{"token": "tok", "urls": urls}]

    assert (await vendor.channel.media_link("tok")).url == link


@pytest.mark.parametrize("answer", [{"token": "tok"}, {"urls": None}, {"urls": {}}])
async def test_a_video_in_process_has_none(answer: dict[str, Any]) -> None:
    vendor = Max()
    vendor.answers["GET /videos/tok"] = [answer]

    with pytest.raises(NotFound, match="processed"):
        await vendor.channel.media_link("tok")


@pytest.mark.parametrize(
    "given",
    [
        "https://shop.example.test",
        "https://shop.example.test/",
        "https://shop.example.test/webhook/max",
        "https://shop.example.test/webhook/max/",
        OURS,
    ],
)
async def test_an_address_is_completed_and_subscribed_with_our_secret(given: str) -> None:
    vendor = Max()

    status = await vendor.channel.subscribe_webhook(given)

    assert vendor.sent("POST /subscriptions") == [{"url": OURS, "secret": WEBHOOK_SECRET}]
    assert status.model_dump() == {"subscribed": True, "urls": [OURS]}


@pytest.mark.parametrize("given", ["https://shop.example.test/p", "https://shop.example.test?a=1"])
async def test_an_address_of_another_form_is_subscribed_as_it_is(given: str) -> None:
    vendor = Max()
    await vendor.channel.subscribe_webhook(given)

    assert vendor.urls == [given]


async def test_subscribing_leaves_foreign_addresses_alone() -> None:
    """Several live beside each other (§5.1): ours takes nobody's place."""
    vendor = Max()
    vendor.urls = [CRM]

    status = await vendor.channel.subscribe_webhook("https://shop.example.test")

    assert vendor.urls == [CRM, OURS]
    assert status.urls == ["https://crm.example.test/***", OURS]


@pytest.mark.parametrize(
    "given",
    [
        "shop.example.test",
        "ftp://shop.example.test",
        "https://",
        "http://[",
        "http://shop.example.test",
        "https://shop.example.test:8443",
        "https://shop.example.test:443",
    ],
)
async def test_an_address_that_max_cannot_call_is_refused(given: str) -> None:
    vendor = Max()

    with pytest.raises(Rejected, match="address"):
        await vendor.channel.subscribe_webhook(given)
    assert vendor.calls == []


async def test_the_sandbox_may_call_a_local_address() -> None:
    vendor = Max(base_url="http://127.0.0.1:8790/max")
    vendor.answers["POST /max/subscriptions"] = [{"success": True}]

    await vendor.channel.subscribe_webhook("http://127.0.0.1:8768")

    assert vendor.calls[0][2]["url"] == "http://127.0.0.1:8768/webhook/max/default"


@pytest.mark.parametrize(
    ("urls", "account", "subscribed"),
    [
        ([], "default", False),
        ([CRM, "http://["], "default", False),
        ([OURS], "default", True),
        ([f"{OURS}/"], "default", True),
        (["https://shop.example.test/webhook/max"], "default", True),
        (["https://shop.example.test/behind/webhook/max/default"], "default", True),
        ([OURS], "second", False),
        (["https://shop.example.test/webhook/max"], "second", False),
        (["https://shop.example.test/webhook/max/second"], "second", True),
    ],
)
async def test_the_status_tells_when_the_subscription_is_gone(
    urls: list[str], account: str, subscribed: bool
) -> None:
    """After 8 h of failures MAX drops it and tells nobody (§5.2): the watchdog subscribes again."""
    vendor = Max(AccountId(account))
    vendor.urls = urls

    assert (await vendor.channel.webhook_status()).subscribed is subscribed


async def test_foreign_addresses_are_shown_without_their_paths() -> None:
    vendor = Max()
    vendor.urls = [
        "https://user:pw@crm.example.test/hooks/s3cret?key=s3cret",
        f"{OURS}?key=s3cret",
        "http://[",
    ]

    status = await vendor.channel.webhook_status()

    assert status.urls == ["https://crm.example.test/***", "https://shop.example.test/***", "***"]


@pytest.mark.parametrize(
    "given", [OURS, "https://shop.example.test", "https://shop.example.test/webhook/max"]
)
async def test_a_subscription_ends_by_any_of_its_names(given: str) -> None:
    vendor = Max()
    vendor.urls = [CRM, OURS]

    status = await vendor.channel.unsubscribe_webhook(given)

    assert (vendor.urls, status.subscribed) == ([CRM], False)


async def test_a_foreign_subscription_ends_by_its_exact_address_only() -> None:
    vendor = Max()
    vendor.urls = [CRM]

    await vendor.channel.unsubscribe_webhook("https://crm.example.test/***")
    assert vendor.urls == [CRM]
    await vendor.channel.unsubscribe_webhook(CRM)
    assert vendor.urls == []


@pytest.mark.parametrize("secret", ["", "x", WEBHOOK_SECRET[:-1], WEBHOOK_SECRET + "x", "\ud800", "пароль"])
def test_any_other_secret_is_refused(secret: str) -> None:
    channel = Max().channel

    assert not channel.verify(WebhookRequest(b"{}", {"x-max-bot-api-secret": secret}))
    assert not channel.verify(WebhookRequest(b"{}", {}, secret=WEBHOOK_SECRET))


def test_there_is_nothing_that_only_max_has() -> None:
    assert max_operations({DEFAULT_ACCOUNT: Max().channel}) == []
