"""A system with several accounts per channel: each account of Avito and VK meets a simulation of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from launcher.engines import Engines
from tests.e2e.agent import shown, turn_of
from tests.engines_fixture import database, empty_redis
from tests.system import System, running

LIMITED_RATE = 5
_MAIN_INSTAGRAM = "17841400000000001"
_FURTHER = ("sandbox-second", "sandbox-third")


@dataclass(frozen=True, slots=True)
class Place:
    """One account; `number` is what its vendor calls it."""

    channel: str
    account: str
    sandbox: str
    number: int

    @property
    def service(self) -> str:
        return f"mcp_{self.channel}"

    @property
    def secret(self) -> str:
        return f"webhook-secret-of-{self.channel}-{self.account}"

    @property
    def token(self) -> str:
        return f"token-of-{self.channel}-{self.account}"

    def hears(self, system: System, customer: str, text: str) -> dict[str, Any]:
        """The customer writes to this account."""
        written: dict[str, Any] = system.write(customer, self.channel, sandbox=self.sandbox, text=text)
        return written

    def turn(self, system: System, customer: str) -> dict[str, Any]:
        return turn_of(system, customer, account=self.account)

    def shown(self, system: System, customer: str, count: int = 1) -> list[str]:
        """What the customer sees from this account."""
        return shown(system, customer, count, channel=self.channel, sandbox=self.sandbox)

    def misbehave(self, system: System, **faults: object) -> None:
        """Switch faults of this account's vendor on; none given: all off."""
        address = f"{system.url(self.sandbox)}/control/{self.channel}/faults"
        method = "POST" if faults else "DELETE"
        system.http.request(method, address, json=faults or None).raise_for_status()

    def webhook(self, system: System, body: object, *, secret: str = "") -> httpx.Response:
        """Deliver something to this account's own path; `secret` is the last part of the path, if any."""
        path = f"/webhook/{self.channel}/{self.account}" + (f"/{secret}" if secret else "")
        return httpx.post(system.url(self.service) + path, json=body)


SHOP = Place("avito", "shop", "sandbox", 701_000_001)
WORKSHOP = Place("avito", "work-shop", "sandbox-second", 701_000_002)
FIRST = Place("vk", "first", "sandbox", 2_200_033)
SECOND = Place("vk", "second", "sandbox-second", 2_200_034)
THIRD = Place("vk", "third", "sandbox-third", 2_200_035)
AVITO, VK = (SHOP, WORKSHOP), (FIRST, SECOND, THIRD)
INSTAGRAM = ("main", "atelier")


@contextmanager
def accounts_system(engines: Engines, folder: Path) -> Iterator[System]:
    """Two accounts of Avito, three communities of VK, two Instagram accounts of one app; all subscribed."""
    redis_url, channels = empty_redis(engines), ("avito", "vk", "instagram")
    with database(engines) as url:
        system = System(folder, redis_url=redis_url, database_url=url, channels=channels, WATCH_SECONDS="2")
        with running(system):
            _tell_sandboxes(system)
            system.start("sandbox", *_FURTHER)
            _tell_channels(system)
            system.start_all()
            yield system


def _tell_sandboxes(system: System) -> None:
    for name in _FURTHER:
        system.add_sandbox(name)
    for place in AVITO:
        system.tell(
            place.sandbox,
            SANDBOX_AVITO_CLIENT_ID=f"client-of-{place.account}",
            SANDBOX_AVITO_CLIENT_SECRET=place.token,
            SANDBOX_AVITO_USER_ID=str(place.number),
        )
    for place in VK:
        system.tell(place.sandbox, SANDBOX_VK_ACCESS_TOKEN=place.token, SANDBOX_VK_GROUP_ID=str(place.number))


def _tell_channels(system: System) -> None:
    for place in AVITO:
        own = {"CLIENT_ID": f"client-of-{place.account}", "CLIENT_SECRET": place.token}
        _tell_account(system, place, **own)
    for place in VK:
        _tell_account(system, place, ACCESS_TOKEN=place.token, GROUP_ID=str(place.number))
    for places in (AVITO, VK):
        names = ",".join(place.account for place in places)
        system.tell(places[0].service, **{f"{places[0].channel.upper()}_ACCOUNTS": names})
    system.tell("mcp_vk", VK_THIRD__REQUESTS_PER_SECOND=str(LIMITED_RATE), VK_THIRD__BURST="1")
    _tell_instagram(system)


def _tell_account(system: System, place: Place, **own: str) -> None:
    own |= {"WEBHOOK_SECRET": place.secret, "BASE_URL": f"{system.url(place.sandbox)}/{place.channel}"}
    prefix = f"{place.channel.upper()}_{place.account.upper().replace('-', '_')}__"
    system.tell(place.service, **{prefix + name: value for name, value in own.items()})


def _tell_instagram(system: System) -> None:
    """The second account is one more of the same app, with a token that the simulated app gives out."""
    made = system.post("sandbox", "/instagram/_sandbox/accounts", {"username": INSTAGRAM[1]})
    usual = system.environment("mcp_instagram")
    own = {
        INSTAGRAM[0]: {"ACCESS_TOKEN": usual["INSTAGRAM_ACCESS_TOKEN"], "USER_ID": _MAIN_INSTAGRAM},
        INSTAGRAM[1]: {"ACCESS_TOKEN": made["access_token"], "USER_ID": made["user_id"]},
    }
    for account, variables in own.items():
        shared = {name: usual[f"INSTAGRAM_{name}"] for name in ("APP_SECRET", "VERIFY_TOKEN")}
        told = {f"INSTAGRAM_{account.upper()}__{name}": value for name, value in (variables | shared).items()}
        system.tell("mcp_instagram", **told)
    system.tell("mcp_instagram", INSTAGRAM_ACCOUNTS=",".join(INSTAGRAM))


def instagram_number(system: System, account: str) -> int:
    """What Instagram calls the account."""
    return int(system.environment("mcp_instagram")[f"INSTAGRAM_{account.upper()}__USER_ID"])
