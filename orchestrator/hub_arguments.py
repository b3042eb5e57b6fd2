"""What agents write to customers: the arguments of reply and send_message, one model each."""

from typing import Annotated, Literal

from pydantic import Field

from core.messages import MOST_BUTTONS
from core.operations import Arguments

TEXT_MAX = 20_000

TurnArgument = Annotated[str, Field(pattern=r"^\d{1,18}$", description="From wait_for_turn")]
AppealArgument = Annotated[str, Field(pattern=r"^\d{1,18}$", description="From a turn or list_appeals")]
TokenArgument = Annotated[str, Field(min_length=1, max_length=60, description="From wait_for_turn")]
ButtonsArgument = Annotated[
    tuple[str, ...], Field(max_length=MOST_BUTTONS, description="Answers to offer under the text")
]
FileArgument = Annotated[str, Field(max_length=2000, description="Public address of a file to send")]
KindArgument = Annotated[Literal["", "voice", "video", "document"], Field(description="What file_url is")]


class ReplyArguments(Arguments):
    """An answer to a turn."""

    turn_id: TurnArgument
    lease_token: TokenArgument
    text: Annotated[str, Field(max_length=TEXT_MAX, description="Plain text; long ones are split")] = ""
    image_url: Annotated[str, Field(max_length=2000, description="Public address of a picture")] = ""
    file_url: FileArgument = ""
    file_kind: KindArgument = ""
    buttons: ButtonsArgument = ()
    reply_to: Annotated[str, Field(max_length=512, description="message_id to quote")] = ""
    force: Annotated[bool, Field(description="Send although the customer wrote on meanwhile")] = False


class SendArguments(Arguments):
    """A message outside a turn."""

    channel: Annotated[str, Field(max_length=32, description="Such as avito")]
    chat_id: Annotated[str, Field(min_length=1, max_length=512, description="From a turn or an appeal")]
    text: Annotated[str, Field(max_length=TEXT_MAX, description="Plain text")] = ""
    account: Annotated[str, Field(max_length=32, description="Which account of the channel")] = "default"
    file_url: FileArgument = ""
    file_kind: KindArgument = ""
    buttons: ButtonsArgument = ()
    idempotency_key: Annotated[
        str, Field(max_length=200, description="Repeat it on a retry and it is sent once")
    ] = ""
    send_at: Annotated[str, Field(max_length=40, description="ISO 8601: send it then; empty: now")] = ""
    sender: Annotated[Literal["agent", "operator"], Field(description="operator: with their key only")] = (
        "agent"
    )
