"""One type per kind of id, so that swapping two is a type error. Ids are opaque outside their channel."""

from typing import NewType

ChannelName = NewType("ChannelName", str)
AccountId = NewType("AccountId", str)
ChatId = NewType("ChatId", str)
MessageId = NewType("MessageId", str)
UserId = NewType("UserId", str)

DEFAULT_ACCOUNT = AccountId("default")
