"""Access tokens: what is valid, and the calls that make new ones (contract §10)."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import urlencode

from sandbox.faults import Switchboard
from sandbox.instagram.errors import GraphError, fail, invalid
from sandbox.instagram.faults import InstagramFaults
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Account, Json, Shop
from sandbox.timing import Clock

EXPIRED, PASSWORD, INVALID = 463, 460, 467
SCOPES = "instagram_business_basic,instagram_business_manage_messages"
WORDS = {
    458: "The user has not authorized application",
    459: "The user is enrolled in a blocking, logged-in checkpoint",
    460: "The session has been invalidated because the user changed their password or logged out",
    467: "The session is invalid",
}


@dataclass(slots=True)
class Token:
    """`dead` is the subcode once it was ended by hand."""

    account: Account
    issued: float
    expires: float
    long: bool = True
    dead: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """What the login window gives to the redirect address, once."""

    account: Account
    redirect: str
    expires: float


class Tokens:
    """The token of the settings, and those that were made since; flavour B's do not expire (§1)."""

    def __init__(
        self,
        settings: InstagramSandboxSettings,
        shop: Shop,
        switches: Switchboard[InstagramFaults],
        now: Clock,
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._switches = switches
        self._now = now
        self.known: dict[str, Token] = {}
        self._codes: dict[str, Code] = {}
        self.forget()

    def forget(self) -> None:
        """Only the token of the settings is left."""
        self.known.clear()
        self._codes.clear()
        issued = self._now() - self._settings.token_age
        given = self._settings.access_token.get_secret_value()
        self.known[given] = Token(self._shop.main, issued, issued + self._life)

    @property
    def _life(self) -> float:
        return self._settings.token_life if self._settings.flavour == "instagram" else float("inf")

    def issue(self, account: Account, *, long: bool = True) -> str:
        text = f"{'IGAA' if self._settings.flavour == 'instagram' else 'EAA'}sandbox{secrets.token_hex(12)}"
        life = self._life if long else self._settings.short_token_life
        self.known[text] = Token(account, self._now(), self._now() + life, long)
        return text

    def check(self, text: str) -> Token:
        """The token when it is good, else 190 with the subcode that tells why."""
        faults, token = self._switches.now, self.known.get(text)
        if token is None:
            fail(190, "Invalid OAuth access token - Cannot parse access token")
        if faults.logged_out:
            _refuse(PASSWORD, token)
        if faults.expired_token:
            _refuse(faults.expired_token.subcode, token)
        if token.dead:
            _refuse(token.dead, token)
        if self._now() >= token.expires:
            _refuse(EXPIRED, token)
        return token

    def new_code(self, account: Account, redirect: str) -> str:
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(account, redirect, self._now() + self._settings.code_life)
        return code

    async def authorise(self, params: Json) -> str:
        """Where the login window sends the owner: the code, and the trailing `#_` that clients strip."""
        if params.get("client_id") != self._settings.app_id or params.get("response_type") != "code":
            invalid("Invalid platform app")
        redirect = str(params.get("redirect_uri", ""))
        if not redirect.startswith(("http://", "https://")):
            invalid("Invalid redirect_uri")
        query = {"code": self.new_code(self._shop.main, redirect)}
        query |= {"state": str(params["state"])} if "state" in params else {}
        return f"{redirect}{'&' if '?' in redirect else '?'}{urlencode(query)}#_"

    async def from_code(self, params: Json) -> Json:
        """Code to short token; a code works once and for its redirect address only."""
        self._check_app(params)
        if params.get("grant_type") != "authorization_code":
            invalid("grant_type must be authorization_code")
        code = self._codes.get(str(params.get("code", "")))
        if code is None or self._now() >= code.expires or code.redirect != params.get("redirect_uri"):
            invalid("This authorization code is invalid, has been used or has expired")
        del self._codes[str(params["code"])]
        token = self.issue(code.account, long=False)
        return {"access_token": token, "user_id": code.account.user_id, "permissions": SCOPES}

    async def exchange(self, params: Json) -> Json:
        """Short to long."""
        self._check_grant(params, "ig_exchange_token")
        if params.get("client_secret") != self._settings.app_secret.get_secret_value():
            invalid("Error validating client secret")
        token = self.check(str(params.get("access_token", "")))
        if token.long:
            invalid("The access token must be short-lived")
        return self._answer(self.issue(token.account))

    async def refresh(self, params: Json) -> Json:
        """60 days from now, for a long token of at least 24 h that has not expired."""
        self._check_grant(params, "ig_refresh_token")
        given = str(params.get("access_token", ""))
        token = self.check(given)
        if "basic" not in token.account.permissions:
            fail(10, "Requires the permission instagram_business_basic")
        if not token.long or self._now() - token.issued < self._settings.refresh_after:
            invalid("The access token must be long-lived and at least 24 hours old")
        if self._settings.refresh_ends_old:
            del self.known[given]
        return self._answer(self.issue(token.account))

    def _check_grant(self, params: Json, wanted: str) -> None:
        if self._settings.flavour != "instagram":
            invalid("This call belongs to the Instagram Login")
        if params.get("grant_type") != wanted:
            invalid(f"grant_type must be {wanted}")

    def _check_app(self, params: Json) -> None:
        secret = self._settings.app_secret.get_secret_value()
        if str(params.get("client_id")) != self._settings.app_id or params.get("client_secret") != secret:
            invalid("Error validating client id or client secret")

    def _answer(self, token: str) -> Json:
        left = int(self.known[token].expires - self._now())
        return {"access_token": token, "token_type": "bearer", "expires_in": left}


def _refuse(subcode: int | None, token: Token) -> NoReturn:
    ended = token.expires if token.expires != float("inf") else token.issued
    words = WORDS.get(subcode or 0) or f"Session has expired on {datetime.fromtimestamp(ended, UTC):%c} UTC"
    raise GraphError(190, f"Error validating access token: {words}.", subcode)
