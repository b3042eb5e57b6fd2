"""Query parameters in Avito's encodings (contract §3.2)."""

from starlette.requests import Request

from sandbox.avito.errors import invalid

DEFAULT_LIMIT = 100


def array(request: Request, name: str) -> list[str]:
    """Repeated keys and comma-joined values, mixed as the caller likes."""
    return [part for value in request.query_params.getlist(name) for part in value.split(",") if part]


def number(request: Request, name: str, default: int, bounds: tuple[int, int], *, clamp: bool = False) -> int:
    """An integer within the bounds; outside them 400, or the nearest bound."""
    raw = request.query_params.get(name, str(default))
    low, high = bounds
    try:
        value = int(raw)
    except ValueError:
        invalid(f"{name} must be an integer", {name: "integer"})
    if clamp:
        return min(max(value, low), high)
    if not low <= value <= high:
        invalid(f"{name} must be {low}..{high}", {name: f"{low}..{high}"})
    return value


def page(request: Request, *, clamp: bool) -> slice:
    """`limit` 1..100, `offset` 0..1000."""
    limit = number(request, "limit", DEFAULT_LIMIT, (1, 100), clamp=clamp)
    offset = number(request, "offset", 0, (0, 1000), clamp=clamp)
    return slice(offset, offset + limit)


def flag(request: Request, name: str) -> bool:
    raw = request.query_params.get(name, "false").lower()
    if raw not in {"true", "false", "1", "0"}:
        invalid(f"{name} must be true or false", {name: "boolean"})
    return raw in {"true", "1"}
