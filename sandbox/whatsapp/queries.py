"""Query parameters in Wappi's encodings."""

from starlette.requests import Request

from sandbox.whatsapp.errors import fail


def number(request: Request, name: str, default: int) -> int:
    raw = request.query_params.get(name, str(default))
    if not raw.isascii() or not raw.isdigit() or len(raw) > 9:
        fail(f"{name} must be a number")
    return int(raw)


def flag(request: Request, name: str) -> bool:
    raw = request.query_params.get(name, "false").lower()
    if raw not in {"true", "false", "1", "0"}:
        fail(f"{name} must be true or false")
    return raw in {"true", "1"}


def needed(request: Request, name: str) -> str:
    value = request.query_params.get(name, "")
    if not value:
        fail(f"{name} is required")
    return value


def newest_first(request: Request) -> bool:
    order = request.query_params.get("order", "desc")
    if order not in {"asc", "desc"}:
        fail("order must be asc or desc")
    return order == "desc"
