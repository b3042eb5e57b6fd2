"""The arguments that operations of channels share, each with the words that a model reads."""

from typing import Annotated

from pydantic import Field

TEXT_MAX = 20_000
#: Of a file of 50 MB, the largest that a messenger takes, in base64.
BASE64_MAX = 70_000_000

ChatArgument = Annotated[
    str,
    Field(min_length=1, max_length=512, description="From list_chats or a turn", examples=["u2i-8f3a"]),
]
MessageArgument = Annotated[
    str,
    Field(
        min_length=1, max_length=512, description="From send_message or list_messages", examples=["6f2e91"]
    ),
]
TextArgument = Annotated[
    str,
    Field(
        min_length=1,
        max_length=TEXT_MAX,
        description="Plain text; a long one is split in order",
        examples=["Экран есть, замена за час."],
    ),
]
CaptionArgument = Annotated[
    str, Field(max_length=TEXT_MAX, description="Words to go with it", examples=["Наш прайс"])
]
AccountArgument = Annotated[
    str, Field(max_length=32, description="Which account of this messenger", examples=["work-shop"])
]
KeyArgument = Annotated[
    str,
    Field(max_length=200, description="Repeat it on a retry and it is sent once", examples=["order-17"]),
]
LimitArgument = Annotated[int, Field(ge=1, le=100, description="Rows per page", examples=[50])]
CursorArgument = Annotated[
    str, Field(max_length=500, description="next_cursor of the page before; empty first", examples=["20"])
]
WebhookArgument = Annotated[
    str,
    Field(
        min_length=8,
        max_length=2000,
        description="Public address of our webhook",
        examples=["https://shop.example/webhook/avito"],
    ),
]
