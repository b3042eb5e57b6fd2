"""The arguments that operations of channels share, each with the words that a model reads."""

from typing import Annotated

from pydantic import Field

TEXT_MAX = 20_000

ChatArgument = Annotated[str, Field(min_length=1, max_length=512, description="From list_chats or a turn")]
MessageArgument = Annotated[
    str, Field(min_length=1, max_length=512, description="From send_message or list_messages")
]
TextArgument = Annotated[
    str, Field(min_length=1, max_length=TEXT_MAX, description="Plain text; a long one is split in order")
]
CaptionArgument = Annotated[str, Field(max_length=TEXT_MAX, description="Words to go with it")]
AccountArgument = Annotated[str, Field(max_length=32, description="Which account of this messenger")]
KeyArgument = Annotated[
    str, Field(max_length=200, description="Repeat it on a retry and the message is sent once")
]
LimitArgument = Annotated[int, Field(ge=1, le=100, description="Rows per page")]
CursorArgument = Annotated[
    str, Field(max_length=500, description="next_cursor of the page before; empty first")
]
WebhookArgument = Annotated[
    str, Field(min_length=8, max_length=2000, description="Public address of our webhook")
]
