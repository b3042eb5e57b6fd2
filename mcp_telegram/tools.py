"""What only Telegram has: asking for the customer's number, and read marks of single messages."""

from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from core.arguments import AccountArgument, ChatArgument
from core.errors import NotFound
from core.ids import AccountId, ChatId, MessageId
from core.operations import Operation
from core.rehearsal import Rehearsal, Rehearse, sends
from mcp_telegram.channel import TelegramChannel

WhyArgument = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4_000,
        description="Why the number is needed",
        examples=["Куда вам позвонить?"],
    ),
]


class Asked(BaseModel):
    """The question that was sent; the number comes as a message with a contact."""

    message_id: str


class MarkedRead(BaseModel):
    """The message is marked as read."""

    message_id: str


def telegram_operations(accounts: Mapping[AccountId, TelegramChannel]) -> list[Operation]:
    """Operations to stand beside those of every channel."""

    def channel(account: str) -> TelegramChannel:
        found = accounts.get(AccountId(account))
        if found is None:
            raise NotFound(f"There is no account {account[:40]!r}; known: {', '.join(accounts)}.")
        return found

    async def ask_for_phone(
        chat_id: ChatArgument,
        text: WhyArgument,
        button: Annotated[
            str, Field(min_length=1, max_length=64, description="Label", examples=["Мой номер"])
        ] = "Отправить номер",
        account: AccountArgument = "default",
    ) -> Asked:
        """Ask for the phone number by a button, when you need it; in private chats with the bot only."""
        return Asked(message_id=await channel(account).ask_for_phone(ChatId(chat_id), text, button))

    async def mark_message_read(
        chat_id: ChatArgument,
        message_id: Annotated[
            str, Field(min_length=1, max_length=512, description="From a turn", examples=["1205"])
        ],
        account: AccountArgument = "default",
    ) -> MarkedRead:
        """Show a customer of a business chat that a message was read, once you have dealt with it."""
        await channel(account).mark_message_read(ChatId(chat_id), MessageId(message_id))
        return MarkedRead(message_id=message_id)

    dry = _rehearsing(channel)
    ask, read = "/api/chats/{chat_id}/phone", "/api/chats/{chat_id}/messages/{message_id}/read"
    return [
        Operation(
            "ask_for_phone", "Ask for the customer's phone", "POST", ask, ask_for_phone, "send", rehearse=dry
        ),
        Operation("mark_message_read", "Mark a message as read", "POST", read, mark_message_read, "work"),
    ]


def _rehearsing(channel: Callable[[str], TelegramChannel]) -> Rehearse:
    async def rehearse(*, chat_id: str, account: str, **_: str) -> Rehearsal:
        channel(account)
        return sends(chat_id, 1, "1 question with a button")

    return rehearse
