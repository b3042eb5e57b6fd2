"""`/_sandbox/…`: the dashboard and what no vendor has (contract §15). Errors: `{"error": sentence}`."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.answers import RefusedError, parse, read_object, refuse
from sandbox.instagram.events import test_envelope
from sandbox.instagram.files import is_web_address
from sandbox.instagram.gate import Gate
from sandbox.instagram.postman import Callback, Postman
from sandbox.instagram.seed import further_account
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Account, Shop
from sandbox.instagram.tokens import Tokens
from sandbox.instagram.webhooks import FIELDS, Webhooks
from sandbox.vendor import Letter

Verb: TypeAlias = Callable[[dict[str, Any]], Awaitable[object]]
OwnerWrites: TypeAlias = Callable[[str, Letter], dict[str, Any]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Dashboard(_Strict):
    """The app's webhook page; what is left out stays."""

    callback_url: str | None = None
    verify_token: str | None = None
    fields: list[str] | None = None


class Release(_Strict):
    """`order`: as sent, in reverse, or these ids first; `in_one`: one POST with several entries."""

    order: Literal["sent", "reverse"] | list[str] = "sent"
    in_one: bool = False


class NewAccount(_Strict):
    username: str = Field(min_length=1)
    name: str = ""


class NewCustomer(_Strict):
    """A person with a profile of one's own; `name` may be null."""

    named: str = Field(min_length=1, max_length=100)
    account: str | None = None
    username: str | None = None
    name: str | None = None
    follower_count: int = 231
    follows_business: bool = True
    followed_by_business: bool = False
    verified: bool = False


class TokenEnd(_Strict):
    """458 app removed, 459 checkpoint, 460 password changed, 463 expired, 467 invalid."""

    token: str
    subcode: Literal[458, 459, 460, 463, 467] = 463


class Permissions(_Strict):
    account: str | None = None
    basic: bool = True
    messages: bool = True


class CodeWanted(_Strict):
    redirect_uri: str
    account: str | None = None


class Backstage:
    def __init__(
        self,
        settings: InstagramSandboxSettings,
        *,
        shop: Shop,
        webhooks: Webhooks,
        postman: Postman,
        tokens: Tokens,
        gate: Gate,
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._webhooks = webhooks
        self._postman = postman
        self._tokens = tokens
        self._gate = gate

    def routes(self, owner_writes: OwnerWrites) -> list[Route]:
        async def owner(body: dict[str, Any]) -> object:
            chat = str(body.pop("chat", ""))
            return owner_writes(chat, parse(Letter, body))

        verbs: dict[str, Verb] = {
            "webhook": self._dashboard,
            "test": self._test,
            "hold": self._hold,
            "release": self._release,
            "redeliver": self._redeliver,
            "accounts": self._account,
            "customers": self._customer,
            "owner/messages": owner,
            "tokens/end": self._end_token,
            "codes": self._code,
            "permissions": self._permissions,
        }
        posts = [Route(f"/_sandbox/{name}", _verb(verb), methods=["POST"]) for name, verb in verbs.items()]
        return [Route("/_sandbox/calls", self._calls, methods=["GET"]), *posts]

    async def _calls(self, _: Request) -> Response:
        return JSONResponse({"calls": list(self._gate.ledger)})

    async def _dashboard(self, body: dict[str, Any]) -> object:
        """Verify and save: an address that fails the handshake is not saved."""
        given: Dashboard = parse(Dashboard, body)
        if given.fields is not None:
            if unknown := sorted(set(given.fields) - FIELDS):
                refuse(422, f"fields: there is no {', '.join(unknown)}")
            self._webhooks.fields = set(given.fields)
        if given.callback_url is not None or given.verify_token is not None:
            await self._verify(given)
        callback = self._postman.callback
        fields = sorted(self._webhooks.fields)
        return {"callback_url": callback.url, "verified": callback.verified, "fields": fields}

    async def _verify(self, given: Dashboard) -> None:
        before = self._postman.callback
        url = before.url if given.callback_url is None else given.callback_url
        secure = url.startswith("https://") or not self._settings.strict_urls
        if not is_web_address(url) or not secure:
            refuse(422, "callback_url: must be a web address (https with strict_urls)")
        self._postman.callback = Callback(url, given.verify_token or before.verify_token)
        if not await self._postman.verify():
            self._postman.callback = before
            refuse(400, "The callback URL or verify token couldn't be validated")

    async def _test(self, _: dict[str, Any]) -> object:
        """The dashboard's Test button for `messages`."""
        body = test_envelope(self._shop.now())
        return {"id": self._webhooks.push(body, lane="test", kind="test", message_id="random_mid")}

    async def _hold(self, _: dict[str, Any]) -> object:
        self._postman.held = self._postman.held or []
        return {"held": [push.id for push in self._postman.held]}

    async def _release(self, body: dict[str, Any]) -> object:
        given: Release = parse(Release, body)
        return {"released": self._postman.release(given.order, in_one=given.in_one)}

    async def _redeliver(self, body: dict[str, Any]) -> object:
        """Byte for byte, by the id of the delivery log."""
        if not self._postman.again(str(body.get("id"))):
            refuse(404, "id: there is no such delivery")
        return {"ok": True}

    async def _account(self, body: dict[str, Any]) -> object:
        given: NewAccount = parse(NewAccount, body)
        made = further_account(len(self._shop.accounts), given.username, given.name or given.username)
        self._shop.accounts[made.user_id] = made
        token = self._tokens.issue(made)
        ids = {"user_id": made.user_id, "id": made.scoped_id, "page_id": made.page_id}
        return {**ids, "username": made.username, "access_token": token}

    async def _customer(self, body: dict[str, Any]) -> object:
        given: NewCustomer = parse(NewCustomer, body)
        person = self._shop.chat(self._known(given.account), given.named).person
        person.username = given.username or person.username
        person.name = given.name
        person.follower_count, person.verified = given.follower_count, given.verified
        person.follows_business = given.follows_business
        person.followed_by_business = given.followed_by_business
        return {"customer": person.named, "id": person.id, "username": person.username}

    async def _end_token(self, body: dict[str, Any]) -> object:
        given: TokenEnd = parse(TokenEnd, body)
        token = self._tokens.known.get(given.token)
        if token is None:
            refuse(404, "token: there is no such token")
        token.dead = given.subcode
        return {"ok": True}

    async def _code(self, body: dict[str, Any]) -> object:
        """What the login window would give."""
        given: CodeWanted = parse(CodeWanted, body)
        return {"code": self._tokens.new_code(self._known(given.account), given.redirect_uri)}

    async def _permissions(self, body: dict[str, Any]) -> object:
        given: Permissions = parse(Permissions, body)
        held = {"basic": given.basic, "messages": given.messages}
        self._known(given.account).permissions = {name for name, has in held.items() if has}
        return held

    def _known(self, user_id: str | None) -> Account:
        account = self._shop.accounts.get(user_id or self._shop.main.user_id)
        if account is None:
            refuse(404, "account: there is no such account")
        return account


def _verb(verb: Verb) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await verb(await read_object(request)))
        except RefusedError as refusal:
            return refusal.response

    return endpoint
