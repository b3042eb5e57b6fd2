"""The control API: what customers and the shop's people do, and how vendors misbehave.

Every error is `{"error": "one sentence"}`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.answers import parse, read_object, refuse
from sandbox.vendor import Letter, Vendor

Verb: TypeAlias = Callable[[Vendor, Request], Awaitable[object]]


class OperatorNote(BaseModel):
    """What the shop's human types in the vendor's app."""

    model_config = ConfigDict(extra="forbid")
    chat: str
    text: str = Field(min_length=1)


class Newcomer(BaseModel):
    """A customer to add before the first message."""

    model_config = ConfigDict(extra="forbid")
    name: str


def control_routes(vendors: Mapping[str, Vendor]) -> list[Route]:
    def route(path: str, method: str, verb: Verb) -> Route:
        async def endpoint(request: Request) -> Response:
            vendor = vendors.get(request.path_params["channel"])
            if vendor is None:
                refuse(404, f"no such channel; the channels are {', '.join(vendors)}")
            return JSONResponse(await verb(vendor, request))

        return Route(f"/control/{{channel}}{path}", endpoint, methods=[method])

    async def channels(_: Request) -> Response:
        shown = [{"name": v.name, "title": v.title, "topics": v.topics()} for v in vendors.values()]
        return JSONResponse({"channels": shown})

    return [
        Route("/control/channels", channels),
        route("/customers", "GET", _customers),
        route("/customers", "POST", _meet),
        route("/customers/{customer}/messages", "POST", _write),
        route("/customers/{customer}/messages", "GET", _seen),
        route("/customers/{customer}/read", "POST", _read),
        route("/operator/messages", "POST", _operator_writes),
        route("/messages/{id}", "DELETE", _delete),
        route("/faults", "GET", _faults),
        route("/faults", "POST", _set_faults),
        route("/faults", "DELETE", _reset_faults),
        route("/deliveries", "GET", _deliveries),
        route("/reset", "POST", _reset),
    ]


def _named(request: Request) -> str:
    return _checked(request.path_params["customer"])


def _checked(given: str) -> str:
    name = given.strip()
    if not name or len(name) > 100 or not name.isprintable():
        refuse(422, "a customer's name has 1 to 100 printable characters")
    return name


async def _customers(vendor: Vendor, _: Request) -> object:
    return {"customers": vendor.customers()}


async def _meet(vendor: Vendor, request: Request) -> object:
    newcomer: Newcomer = parse(Newcomer, await read_object(request))
    return vendor.meet(_checked(newcomer.name))


async def _write(vendor: Vendor, request: Request) -> object:
    letter: Letter = parse(Letter, await read_object(request))
    return vendor.write(_named(request), letter)


async def _seen(vendor: Vendor, request: Request) -> object:
    return {"messages": vendor.seen_by(_named(request), request.query_params.get("chat"))}


async def _read(vendor: Vendor, request: Request) -> object:
    return {"read": vendor.read(_named(request), request.query_params.get("chat"))}


async def _operator_writes(vendor: Vendor, request: Request) -> object:
    note: OperatorNote = parse(OperatorNote, await read_object(request))
    return vendor.operator_writes(note.chat, note.text)


async def _delete(vendor: Vendor, request: Request) -> object:
    vendor.delete(request.path_params["id"])
    return {"ok": True}


async def _faults(vendor: Vendor, _: Request) -> object:
    return {"faults": vendor.faults()}


async def _set_faults(vendor: Vendor, request: Request) -> object:
    vendor.set_faults(await read_object(request))
    return {"faults": vendor.faults()}


async def _reset_faults(vendor: Vendor, _: Request) -> object:
    vendor.reset_faults()
    return {"faults": vendor.faults()}


async def _deliveries(vendor: Vendor, request: Request) -> object:
    last = request.query_params.get("last", "0")
    if not last.isdecimal() or len(last) > 6:
        refuse(422, "last must be a number of lines")
    return {"deliveries": vendor.courier.log(int(last))}


async def _reset(vendor: Vendor, request: Request) -> object:
    vendor.reset(everything=request.query_params.get("everything") in {"true", "1"})
    return {"ok": True}
