"""The bot itself (contract §2)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.max.errors import body_of, invalid
from sandbox.max.gate import Gate
from sandbox.max.seed import DESCRIPTION
from sandbox.max.shop import Json, Shop
from sandbox.max.views import user_view

MOST_COMMANDS, LONGEST_NAME, LONGEST_DESCRIPTION = 32, 64, 128


class Account:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._commands: list[Json] = []

    def forget(self) -> None:
        self._commands = []

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route("/me", gate.guard(self._me), methods=["GET"]),
            Route("/me/commands", gate.guard(self._set_commands), methods=["PATCH"]),
        ]

    async def _me(self, _: Request) -> Response:
        shown = {**user_view(self._shop, self._shop.bot), "description": DESCRIPTION}
        return JSONResponse({**shown, "commands": self._commands} if self._commands else shown)

    async def _set_commands(self, request: Request) -> Response:
        commands = (await body_of(request)).get("commands")
        if not isinstance(commands, list) or len(commands) > MOST_COMMANDS:
            invalid(f"commands: size must be between 0 and {MOST_COMMANDS}")
        self._commands = [_command(command) for command in commands]
        return JSONResponse({"commands": self._commands})


def _command(given: object) -> Json:
    if not isinstance(given, dict) or not given.get("name"):
        invalid("commands: each needs a name")
    for name, longest in (("name", LONGEST_NAME), ("description", LONGEST_DESCRIPTION)):
        value = given.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            invalid(f"commands: size of {name} must be at most {longest}")
    return {name: given[name] for name in ("name", "description") if given.get(name)}
