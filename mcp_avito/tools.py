"""What only Avito has: blocking a customer."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from core.arguments import AccountArgument
from core.errors import NotFound
from core.ids import AccountId
from core.operations import Operation
from core.rehearsal import Rehearsal, takes
from mcp_avito.channel import AvitoChannel


class Blocked(BaseModel):
    """The customer is blocked."""

    user_id: int


def avito_operations(accounts: Mapping[AccountId, AvitoChannel]) -> list[Operation]:
    """Operations to stand beside those of every channel."""

    def channel(account: str) -> AvitoChannel:
        found = accounts.get(AccountId(account))
        if found is None:
            raise NotFound(f"There is no account {account!r}; known: {', '.join(accounts)}.")
        return found

    async def block_user(
        user_id: Annotated[
            int, Field(gt=0, le=10**15, description="client_user_id of list_chats", examples=[94235311])
        ],
        reason: Annotated[
            Literal["spam", "fraud", "insults", "other"], Field(description="For Avito")
        ] = "other",
        item_id: Annotated[
            int,
            Field(ge=0, le=10**15, description="The ad it was about; 0 for none", examples=[2893571]),
        ] = 0,
        account: AccountArgument = "default",
    ) -> Blocked:
        """Block a customer on Avito for good, after spam or insults only: the API cannot take it back."""
        await channel(account).blacklist(user_id, reason, item_id)
        return Blocked(user_id=user_id)

    async def rehearse_blocking(*, user_id: int, account: str, **_: object) -> Rehearsal:
        channel(account)
        return takes(f"block the customer {user_id} for good", customers=1)

    path, run, dry = "/api/blacklist", block_user, rehearse_blocking
    return [Operation("block_user", "Block an Avito customer", "POST", path, run, "delete", rehearse=dry)]
