"""The account and its ads (contract §3.1, §3.9)."""

from typing import NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.answers import RefusedError
from sandbox.avito.gate import Gate
from sandbox.avito.queries import array
from sandbox.avito.shop import Ad, Shop

STATUSES = {"active", "removed", "old", "blocked", "rejected"}


class Account:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def routes(self, gate: Gate) -> list[Route]:
        one = gate.limited("item", 500, self._ad)
        return [
            Route("/core/v1/accounts/self", gate.guard(self._self)),
            Route("/core/v1/accounts/{user_id}/items/{item_id}/", one),
            Route("/core/v1/items", gate.limited("items", 25, self._ads)),
        ]

    async def _self(self, _: Request) -> Response:
        account = self._shop.account
        return JSONResponse(
            {
                "id": account.id,
                "name": account.name,
                "email": "shop@example.test",
                "phone": "79000000001",
                "phones": ["79000000001"],
                "profile_url": f"https://avito.ru/user/{account.id:016x}/profile",
            }
        )

    async def _ad(self, request: Request) -> Response:
        """Neither title nor price; an ad that is not there has the status `not_found`."""
        number = request.path_params["item_id"]
        ad = self._shop.ads.get(int(number)) if number.isdigit() and len(number) < 20 else None
        return JSONResponse(
            {
                "status": ad.status if ad else "not_found",
                "url": ad.url if ad else None,
                "start_time": "2025-11-01T10:00:00+03:00" if ad else None,
                "finish_time": None,
                "autoload_item_id": None,
                "vas": [],
            }
        )

    async def _ads(self, request: Request) -> Response:
        per_page, page = _counted(request, "per_page", 25), _counted(request, "page", 1)
        if per_page >= 100:
            _bad("per_page must be less than 100")
        wanted = set(array(request, "status")) or {"active"}
        if not wanted <= STATUSES:
            _bad(f"status must be one of {', '.join(sorted(STATUSES))}")
        found = [_resource(ad) for ad in self._shop.ads.values() if ad.status in wanted]
        shown = found[(page - 1) * per_page : page * per_page]
        return JSONResponse({"meta": {"page": page, "per_page": per_page}, "resources": shown})


def _resource(ad: Ad) -> dict[str, object]:
    return {
        "id": ad.id,
        "title": ad.title,
        "price": ad.price,
        "status": ad.status,
        "url": ad.url,
        "address": "Москва, Лесная улица, 7",
        "category": {"id": 114, "name": "Предложение услуг"},
    }


def _counted(request: Request, name: str, default: int) -> int:
    raw = request.query_params.get(name, str(default))
    if not raw.isdigit() or len(raw) > 9 or int(raw) < 1:
        _bad(f"{name} must be a positive integer")
    return int(raw)


def _bad(message: str) -> NoReturn:
    """The ads section has an error shape of its own (contract §7)."""
    raise RefusedError(JSONResponse({"code": "bad_request", "message": message}, 400))
