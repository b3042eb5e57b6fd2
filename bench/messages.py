"""Messages as the channels push them."""

import time
from datetime import UTC, datetime

from core.ids import AccountId, ChannelName, ChatId, MessageId, UserId
from core.messages import IncomingMessage

_TEXT = "Здравствуйте! Сколько стоит поменять экран? "


def incoming(number: int, chat: str, *, size: int = 1024) -> bytes:
    """One message of a customer, about `size` bytes; the time of its making is in its id."""
    short = IncomingMessage(
        channel=ChannelName("avito"),
        account=AccountId("default"),
        external_user_id=UserId(f"u{chat}"),
        external_chat_id=ChatId(chat),
        external_message_id=MessageId(f"{number}-{time.time_ns()}"),
        text="",
        timestamp=datetime.now(UTC),
    )
    room = max(0, size - len(short.model_dump_json()))
    words = (_TEXT * (room // len(_TEXT.encode()) + 1)).encode()[:room].decode(errors="ignore")
    return short.model_copy(update={"text": words}).model_dump_json().encode()


def made_at_ms(message_id: str) -> float:
    """When `incoming` made the message of this id, Unix ms."""
    return int(message_id.partition("-")[2]) / 1e6
