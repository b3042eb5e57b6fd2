"""The few HTTP calls of the launcher to its own services."""

import time
from collections.abc import Callable, Mapping

import httpx


def local_client() -> httpx.Client:
    """Never through a proxy: everything it asks is on this machine."""
    return httpx.Client(timeout=2.0, trust_env=False)


def is_healthy(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def subscribe(
    client: httpx.Client,
    service: str,
    key: str,
    webhook: str,
    *,
    attempts: int = 5,
    pause: Callable[[float], None] = time.sleep,
) -> str | None:
    """Ask a channel to receive its messenger's events at `webhook`; None when it does, else why not."""
    problem = ""
    for attempt in range(attempts):
        if attempt:
            pause(1.0)
        problem = _try_to_subscribe(client, f"{service}/api/webhook/subscribe", {"X-API-Key": key}, webhook)
        if not problem:
            return None
    return problem


def _try_to_subscribe(client: httpx.Client, url: str, headers: Mapping[str, str], webhook: str) -> str:
    try:
        answer = client.post(url, headers=headers, json={"url": webhook}, timeout=10.0)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.is_success else f"{answer.status_code}: {answer.text[:200]}"
