"""403 insufficient_scope before a call runs, so that an OAuth client can ask for more and repeat it.

It refuses nothing that core/permission.py would let pass: it only says so in the way of OAuth (RFC 6750).
"""

from collections.abc import Callable

from starlette import types as asgi
from starlette.datastructures import Headers

from core.auth import Scope, current_caller
from core.errors import NotPermitted
from core.oauth import Tokens
from core.problems import from_channel_error

#: The scope that a request needs, None where any will do.
Needs = Callable[[Headers], Scope | None]


class StepUp:
    """ASGI, inside of RequireKey. Keys get the plain error of the call itself."""

    def __init__(self, app: asgi.ASGIApp, tokens: Tokens, needs: Needs) -> None:
        self._app = app
        self._tokens = tokens
        self._needs = needs

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        caller = current_caller.get()
        if caller is None or not caller.issuer:
            await self._app(scope, receive, send)
            return
        needed = self._needs(Headers(scope=scope)) or (None if caller.scopes else "read")
        if needed is None or needed in caller.scopes:
            await self._app(scope, receive, send)
            return
        refused = from_channel_error(NotPermitted(f"This needs the scope {needed}, which the token has not."))
        more = caller.scopes | {needed}
        refused.headers["WWW-Authenticate"] = self._tokens.challenge("insufficient_scope", more)
        await refused(scope, receive, send)
