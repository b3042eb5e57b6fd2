"""The hub's REST with the operator's key: where it is, who asks, and what its refusals mean."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from core.registry import service
from launcher.addresses import addresses
from launcher.errors import HubAway, HubRefused, KeyRefused, LauncherError, NotFoundThere
from launcher.keyring import open_keyring, secrets_file
from launcher.settings import LauncherSettings
from launcher.surroundings import key_of

#: Some commands work through many letters or messages before they answer.
_PATIENCE_SECONDS = 120.0

Method = Literal["GET", "POST"]
Answer = dict[str, Any]


class HubClient:
    """One call after the other; every failure is a LauncherError with an exit code of its own."""

    def __init__(self, url: str, key: str, http: httpx.Client) -> None:
        self._url = url
        self._key = key
        self._http = http

    def ask(self, method: Method, path: str, given: Mapping[str, Any]) -> Answer:
        """The answer of the hub; `given` is the query of a GET, the body of a POST."""
        query, body = (given, None) if method == "GET" else (None, given)
        key = {"X-API-Key": self._key}
        return _read(self._asked(method, path, headers=key, params=query, json=body))

    def file(self, link: str) -> bytes:
        """What a link of the hub's opens, at this hub, whoever may be meant by the link's host."""
        response = self._asked("GET", urlsplit(link).path)
        if not response.is_success:
            _read(response)
        return response.content

    def _asked(self, method: Method, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, self._url + path, **more)
        except httpx.HTTPError as error:
            raise HubAway(
                f"The hub at {self._url} gives no answer ({type(error).__name__}): "
                "start it, or set ELDOLEADO_HUB_URL."
            ) from error

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()


def hub_client(settings: LauncherSettings, environ: Mapping[str, str]) -> HubClient:
    """The hub that is set, else the one of the run on this machine.

    Never through a proxy of the environment, which would see the key.
    """
    hub = service("orchestrator")
    url = settings.hub_url or environ.get(hub.url_variable) or addresses(settings, environ).url(hub.name)
    http = httpx.Client(timeout=_PATIENCE_SECONDS, trust_env=False)
    return HubClient(url.rstrip("/"), operator_key(settings, environ), http)


def operator_key(settings: LauncherSettings, environ: Mapping[str, str]) -> str:
    """The operator's key: of the environment, else of the run in the state folder."""
    if key := environ.get("OPERATOR_API_KEY"):
        return key
    if callers := environ.get("API_KEYS"):
        return key_of("operator", callers)
    if not secrets_file(settings.state).exists():
        raise LauncherError(
            f"There is no key: set OPERATOR_API_KEY, or --state to the folder of a run "
            f"({settings.state} is none)."
        )
    return open_keyring(settings.state)["OPERATOR_API_KEY"]


def _read(response: httpx.Response) -> Answer:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    said: Answer = answer if isinstance(answer, dict) else {}
    if response.is_success and answer is not None:
        return said
    words = str(said.get("detail") or f"The hub answered {response.status_code}.")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise KeyRefused(f"{words} The hub knows no such operator's key: set OPERATOR_API_KEY, or --state.")
    if response.status_code == httpx.codes.NOT_FOUND:
        raise NotFoundThere(words)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise HubAway(words)
    raise HubRefused(" ".join([words, *_mistakes(said)]))


def _mistakes(said: Answer) -> list[str]:
    """What is wrong with which argument, as the problem details tell it."""
    errors = [error for error in said.get("errors", []) if error.get("field")]
    return [f"{error['field']}: {error['message']}." for error in errors]
