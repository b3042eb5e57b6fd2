"""The simulated Wappi.pro against an event that was recorded from the real one.

There is no public client (contract, sources). What there is: events that a bot in production wrote down and
its authors published (contract, source W4). The models below are those recordings as shapes: every name and
every type, nothing else allowed. The voice note of August 2026 is whole; of the others some fields were kept,
and the name of the status event, `messages_status` there, is `delivery_status` (contract §10, 8).
"""

from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from pydantic import BaseModel, ConfigDict, SecretStr

from sandbox.whatsapp.settings import WhatsAppSandboxSettings
from sandbox.whatsapp.vendor import WhatsAppVendor
from tests.sdk.serving import Served, served

TOKEN, PROFILE = "the-token", "a1b2c3d4-e5f6"
TYPES = ["incoming_message", "delivery_status", "outgoing_message_api"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Partly(BaseModel):
    """A recording of which only some fields were kept."""

    model_config = ConfigDict(strict=True)


class Whole(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class MediaInfo(Whole):
    width: int
    height: int
    size: int
    duration: int
    is_round: bool
    is_group: bool
    grouped_id: str


class VoiceNote(Whole):
    """`voice_ptt`, recorded on 2026-08-03."""

    id: str
    profile_id: str
    wh_type: Literal["incoming_message"]
    timestamp: str
    time: int
    body: str
    type: Literal["ptt"]
    to: str
    senderName: str  # noqa: N815  # the vendor's names, here and below
    senderLastName: str  # noqa: N815
    chatId: str  # noqa: N815
    caption: None
    from_where: str
    file_name: str
    mimetype: Literal["audio/ogg; codecs=opus"]
    contact_name: str
    contact_last_name: str
    contact_phone: str
    contact_username: str
    is_forwarded: bool
    isReply: bool  # noqa: N815
    is_edited: bool
    stanza_id: str
    is_me: Literal[False]
    chat_type: Literal["dialog"]
    isGif: bool  # noqa: N815
    thumbnail: str
    picture: str
    wappi_bot_id: str
    is_deleted: bool
    is_bot: bool
    length_seconds: int
    file_link: str
    file_link_expire: int
    attaches: None
    media_info: MediaInfo
    is_blacklist: bool
    whatsapp_chat_id: str
    platform: Literal["whatsapp"]
    is_callback: bool
    is_command: bool
    is_topic: bool


class Text(Partly):
    """`incoming_dialog`, recorded on 2026-06-23."""

    id: str
    profile_id: str
    wh_type: Literal["incoming_message"]
    timestamp: str
    time: int
    body: str
    type: Literal["chat"]
    to: str
    chatId: str  # noqa: N815
    senderName: str  # noqa: N815
    is_me: Literal[False]
    chat_type: Literal["dialog"]
    platform: Literal["whatsapp"]


class Delivery(Partly):
    """`delivery_status`, recorded on 2026-06-23."""

    profile_id: str
    id: str
    status: Literal["pending", "sent", "delivered", "read"]
    time: int


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def wappi() -> AsyncIterator[Served]:
    settings = WhatsAppSandboxSettings(token=SecretStr(TOKEN), delivered_after=0)
    async with served("whatsapp", lambda bench: WhatsAppVendor(settings, bench)) as opened:
        await call(opened, "webhook/url/set", url=opened.mailbox.url)
        await call(opened, "webhook/types/set", TYPES)
        yield opened


async def call(wappi: Served, path: str, body: object = None, **query: str) -> None:
    answer = await wappi.web.post(
        f"/whatsapp/api/{path}",
        json=body if body is not None else {},
        params={"profile_id": PROFILE, **query},
        headers={"Authorization": TOKEN},
    )
    assert answer.status_code == 200, answer.text


async def told(wappi: Served, wh_type: str) -> dict[str, Any]:
    """The next event of a type; they come one by one or in an array."""
    while True:
        events = (await wappi.mailbox.take()).json["messages"]
        for event in events if isinstance(events, list) else [events]:
            if event["wh_type"] == wh_type:
                return dict(event)


async def test_a_voice_note_is_the_recorded_one_field_by_field(wappi: Served) -> None:
    await wappi.write(voice=True)
    event = await told(wappi, "incoming_message")
    assert event.pop("from").endswith("@c.us")
    VoiceNote.model_validate(event)


async def test_a_text_has_what_was_recorded_of_one(wappi: Served) -> None:
    await wappi.write(text="Добрый день")
    assert Text.model_validate(await told(wappi, "incoming_message")).body == "Добрый день"


async def test_a_delivery_status_has_what_was_recorded_of_one(wappi: Served) -> None:
    customer = (await wappi.write(text="ау"))["chat_id"].removesuffix("@c.us")
    await call(wappi, "sync/message/send", {"recipient": customer, "body": "От 1500"})
    Delivery.model_validate(await told(wappi, "delivery_status"))
