"""The few HTTP calls of the launcher to its own services."""

import httpx


def local_client() -> httpx.Client:
    """Never through a proxy: everything it asks is on this machine."""
    return httpx.Client(timeout=2.0, trust_env=False)


def is_healthy(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def accounts_are_well(client: httpx.Client, url: str) -> bool:
    """Whether a channel has looked at its accounts and found nothing wrong."""
    try:
        accounts = client.get(f"{url}/health").json()["accounts"].values()
        return all(account["healthy"] for account in accounts)
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        return False
