"""What agents write to customers: the arguments of reply and send_message, one model each."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from core.messages import LONGEST_BUTTON, MOST_BUTTONS
from core.operations import Arguments

TEXT_MAX = 20_000

TurnArgument = Annotated[
    str, Field(pattern=r"^\d{1,18}$", description="From wait_for_turn", examples=["4211"])
]
AppealArgument = Annotated[
    str, Field(pattern=r"^\d{1,18}$", description="From a turn or list_appeals", examples=["318"])
]
TokenArgument = Annotated[
    str, Field(min_length=1, max_length=60, description="From wait_for_turn", examples=["17.9042"])
]
ChannelArgument = Annotated[
    str, Field(max_length=32, description="Name of the messenger", examples=["avito"])
]
ChatArgument = Annotated[
    str,
    Field(min_length=1, max_length=512, description="From a turn or an appeal", examples=["u2i-8f3a"]),
]
AccountArgument = Annotated[
    str, Field(max_length=32, description="Which account of the channel", examples=["work-shop"])
]
TextArgument = Annotated[
    str,
    Field(
        max_length=TEXT_MAX,
        description="Plain text; a long one is split",
        examples=["Экран есть, замена за час."],
    ),
]
ReasonArgument = Annotated[
    str, Field(max_length=500, description="Why, for colleagues", examples=["asks for a refund"])
]
LimitArgument = Annotated[int, Field(ge=1, le=100, description="Rows per page", examples=[50])]
#: A cursor is opaque; each list refuses what is none of its own.
CursorArgument = Annotated[
    str,
    Field(max_length=200, description="next_cursor of the page before; empty first", examples=["1041"]),
]
ButtonsArgument = Annotated[
    tuple[
        Annotated[str, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_BUTTON})], ...
    ],
    Field(
        max_length=MOST_BUTTONS,
        description="Answers to offer under the text",
        examples=[["Да", "Нет"]],
    ),
]
FileArgument = Annotated[
    str,
    Field(
        max_length=2000,
        description="Public address of a file to send",
        examples=["https://shop.example/price.pdf"],
    ),
]
KindArgument = Annotated[Literal["", "voice", "video", "document"], Field(description="What file_url is")]
KeyArgument = Annotated[
    str,
    Field(max_length=200, description="Repeat it on a retry and it is sent once", examples=["order-17"]),
]


class ReplyArguments(Arguments):
    """An answer to a turn."""

    turn_id: TurnArgument
    lease_token: TokenArgument
    text: TextArgument = ""
    image_url: Annotated[
        str,
        Field(
            max_length=2000,
            description="Public address of a picture",
            examples=["https://shop.example/screen.jpg"],
        ),
    ] = ""
    file_url: FileArgument = ""
    file_kind: KindArgument = ""
    buttons: ButtonsArgument = ()
    reply_to: Annotated[
        str, Field(max_length=512, description="message_id to quote", examples=["6f2e91"])
    ] = ""
    force: Annotated[bool, Field(description="Send although the customer wrote on meanwhile")] = False


class SendArguments(Arguments):
    """A message outside a turn."""

    channel: ChannelArgument
    chat_id: ChatArgument
    text: TextArgument = ""
    account: AccountArgument = "default"
    file_url: FileArgument = ""
    file_kind: KindArgument = ""
    buttons: ButtonsArgument = ()
    idempotency_key: KeyArgument = ""
    send_at: Annotated[
        str,
        Field(
            max_length=40,
            description="ISO 8601: send it then; empty: now",
            examples=["2027-01-15T09:00:00+03:00"],
        ),
    ] = ""
    sender: Annotated[Literal["agent", "operator"], Field(description="operator: with their key only")] = (
        "agent"
    )
