"""Two clients who may be one person: told to an operator, who merges them or says that they are two.

Nothing here joins anybody. A pair is suggested once: what an operator has dismissed does not come back.

    typed_phone        one has written a number, or passed on a card with it, that is attested for the other
    claimed_phone      a producer gave a number that is attested for the other
    same_phone         one number is attested for both, who were clients before it was
    same_email         both gave the same e-mail
    same_username      both have the same public name, on different channels
    same_name_and_ad   both have the same first and last name and write about the same ad
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.facts import Learned
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql

_TELLING = ("phone", "email", "username", "name")


async def suggest(
    connection: Connection, learned: Sequence[Learned], ads: Mapping[int, str], now: datetime
) -> None:
    """Note who else the clients may be by what was just learned; `ads` {client: the ad that they ask about}.

    In the caller's transaction, after their facts are stored.
    """
    telling = [one for one in learned if _tells(one, ads)]
    if not telling:
        return
    await connection.execute(
        sql("suggest_links"),
        [one.client_id for one in telling],
        [one.told.kind for one in telling],
        [one.told.value for one in telling],
        [one.told.evidence for one in telling],
        [one.handle[0] for one in telling],
        [ads.get(one.client_id, "") for one in telling],
        now,
    )


def _tells(one: Learned, ads: Mapping[int, str]) -> bool:
    """A name alone is nobody's own."""
    if one.told.kind == "name":
        return " " in one.told.value and one.client_id in ads
    return one.told.kind in _TELLING
