"""Query parameters in MAX's encodings (contract §1)."""

from starlette.requests import Request

from sandbox.max.errors import invalid

INT64 = 1 << 63


def array(request: Request, name: str) -> list[str]:
    """Comma-separated values."""
    return [part for part in request.query_params.get(name, "").split(",") if part]


def number(raw: str, name: str) -> int:
    """A signed 64-bit integer."""
    digits = raw.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19 and -INT64 <= int(raw) < INT64):
        invalid(f"{name}: must be a 64-bit integer")
    return int(raw)


def optional(request: Request, name: str) -> int | None:
    raw = request.query_params.get(name)
    return None if raw is None else number(raw, name)


def within(request: Request, name: str, default: int, bounds: tuple[int, int]) -> int:
    """An integer within the bounds, or 400."""
    value = number(request.query_params.get(name, str(default)), name)
    if not bounds[0] <= value <= bounds[1]:
        invalid(f"{name}: must be between {bounds[0]} and {bounds[1]}")
    return value


def numbers(request: Request, name: str) -> list[int]:
    return [number(raw, name) for raw in array(request, name)]


def flag(request: Request, name: str) -> bool:
    raw = request.query_params.get(name, "false").lower()
    if raw not in {"true", "false"}:
        invalid(f"{name}: must be true or false")
    return raw == "true"


def required(request: Request, name: str) -> str:
    raw = request.query_params.get(name, "")
    if not raw:
        invalid(f"Missing required parameter: {name}")
    return raw
