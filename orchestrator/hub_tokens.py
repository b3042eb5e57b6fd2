"""Tokens of one appeal at the hub: made by whoever has a key, for an agent that handles that appeal alone."""

from datetime import UTC, datetime
from typing import Annotated, Literal, cast, get_args

import structlog
from pydantic import BaseModel, Field

from core.appeal_tokens import GIVEN, LONGEST_SECONDS, AppealTokens
from core.auth import Caller, Mode, Scope, caller_now
from core.ended_tokens import EndsTokens
from core.errors import NotFound, NotPermitted, Rejected
from core.operations import Arguments, Operation, asking
from orchestrator import appeals
from orchestrator.hub_arguments import AppealArgument
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import iso
from orchestrator.store.queries import sql

log = structlog.get_logger()

_SHORTEST_SECONDS, _USUAL_SECONDS = 30, 900
#: A token stands in a header.
_MOST_CHATS = 30


class TokenAsked(Arguments):
    """What make_token asks for."""

    appeal_id: AppealArgument
    seconds: Annotated[
        int, Field(ge=_SHORTEST_SECONDS, le=LONGEST_SECONDS, description="How long it opens", examples=[900])
    ] = _USUAL_SECONDS
    may: Annotated[
        tuple[Literal["read", "answer", "send"], ...],
        Field(
            max_length=3,
            description="Fewer scopes than you have; empty: all that a token may give",
            examples=[["read", "answer"]],
        ),
    ] = ()
    mode: Annotated[
        Literal["", "read_only", "guarded", "full"], Field(description="Not above yours; empty: yours")
    ] = ""


class AppealToken(BaseModel):
    """A token and what it opens. Whoever has it has these rights: hand it to one agent, and nowhere else."""

    token: str
    token_id: str
    appeal_id: str
    client_id: str
    mode: str
    may: list[str]
    expires_at: str = Field(description="ISO 8601, UTC")


class TokenEnded(BaseModel):
    """A token that opens nothing any more."""

    token_id: str


class TokenDesk:
    """Makes tokens and takes them back. Nobody gives more than they have."""

    def __init__(self, parts: HubParts, tokens: AppealTokens, ended: EndsTokens) -> None:
        self._parts = parts
        self._tokens = tokens
        self._ended = ended

    def operations(self) -> list[Operation]:
        """For programs that start agents."""
        make, path = asking(TokenAsked, self._make), "/api/appeals/{appeal_id}/token"
        end = "/api/tokens/end"
        return [
            Operation("make_token", "Make a token", "POST", path, make, "status", tool=False),
            Operation("end_token", "End a token", "POST", end, self._end, "work", tool=False, needs="read"),
        ]

    async def _make(self, asked: TokenAsked) -> AppealToken:
        """Make a token that opens one appeal alone, to start an agent for it; it can do no more than you."""
        if not self._tokens.can_make:
            raise Rejected("This hub has no keys to seal tokens with.")
        maker = caller_now()
        caller = _within(maker, asked)
        appeal = await appeals.find_appeal(self._parts.pool, int(asked.appeal_id))
        if appeal is None:
            raise NotFound(f"There is no appeal {asked.appeal_id}.")
        rows = await self._parts.pool.fetch(sql("chats_of_appeal"), appeal.id, _MOST_CHATS)
        chats = [tuple(row.values()) for row in rows]
        of = str(appeal.id), str(appeal.client_id), chats
        bounds = self._tokens.bounds(*of, asked.seconds, latest_ms=maker.ends_ms)
        log.info("token_made", token=bounds.token_id, appeal=bounds.appeal_id, by=caller.name)
        return AppealToken(
            token=self._tokens.make(caller, bounds),
            token_id=bounds.token_id,
            appeal_id=bounds.appeal_id,
            client_id=bounds.client_id,
            mode=caller.mode,
            may=sorted(caller.scopes),
            expires_at=iso(datetime.fromtimestamp(bounds.ends_ms / 1000, UTC)),
        )

    async def _end(
        self, token: Annotated[str, Field(max_length=16_384, description="From make_token")]
    ) -> TokenEnded:
        """End a token before its time, when its agent is done; for whoever made it, and for operators."""
        made = self._tokens.read(token)
        if made is None or made.bounds is None:
            raise NotFound("There is no such token, or its time is over.")
        caller = caller_now()
        if caller.name != made.name and caller.speaks_as != "operator":
            raise NotPermitted("This token is for whoever made it, or an operator, to end.")
        await self._ended.end(made.bounds.token_id)
        log.info("token_ended", token=made.bounds.token_id, by=caller.name)
        return TokenEnded(token_id=made.bounds.token_id)


def _within(caller: Caller, asked: TokenAsked) -> Caller:
    """The caller with what is asked for. Raises NotPermitted for more than the caller has."""
    scopes = cast(frozenset[Scope], frozenset(asked.may)) or caller.scopes & GIVEN
    mode: Mode = asked.mode or caller.mode
    modes = get_args(Mode)
    if scopes - caller.scopes or modes.index(mode) > modes.index(caller.mode):
        raise NotPermitted("A token gives no more than the key of whoever makes it.")
    return Caller(caller.name, "agent", mode, scopes)
