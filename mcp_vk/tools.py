"""What only VK can tell: whether a person lets the community write."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from core.arguments import AccountArgument
from core.errors import NotFound
from core.ids import AccountId, UserId
from core.operations import Operation
from mcp_vk.channel import VkChannel


class Consent(BaseModel):
    """Whether the person lets the community write."""

    user_id: str
    may_write: bool


def vk_operations(accounts: Mapping[AccountId, VkChannel]) -> list[Operation]:
    """Operations to stand beside those of every channel."""

    async def may_write(
        user_id: Annotated[
            str,
            Field(min_length=1, max_length=20, description="The person's id in VK", examples=["77001"]),
        ],
        account: AccountArgument = "default",
    ) -> Consent:
        """Tell whether a person lets our VK community write to them, before you write first."""
        channel = accounts.get(AccountId(account))
        if channel is None:
            raise NotFound(f"There is no account {account!r}; known: {', '.join(accounts)}.")
        return Consent(user_id=user_id, may_write=await channel.may_write(UserId(user_id)))

    return [Operation("may_write", "May we write on VK", "GET", "/api/consent", may_write, "read")]
