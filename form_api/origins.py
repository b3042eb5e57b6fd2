"""Which web pages may post: CORS for scripts, and the same rule for plain HTML forms."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

ANY = "*"


def cors(origins: tuple[str, ...]) -> Middleware:
    """Answers preflights and lets the pages of `origins` read our answers."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["POST"],
        allow_headers=["Content-Type", "Idempotency-Key"],
        expose_headers=["Retry-After"],
    )


def may_post(request: Request, origins: tuple[str, ...]) -> bool:
    """Whether the page that sends may do so. Programs send no Origin and may; a page of our own host may."""
    origin = request.headers.get("origin")
    if origin is None or ANY in origins:
        return True
    return origin in origins or origin.partition("://")[2] == request.headers.get("host")
