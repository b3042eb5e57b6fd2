"""Whom the community may not write to, and with which code it is told (contract §2, §7.3)."""

from collections import defaultdict, deque

from sandbox.faults import Switchboard
from sandbox.vk.community import CHATS_FROM, Community
from sandbox.vk.faults import VkFaults

HOUR = 3600


class Barriers:
    """The `peers` switch, then 917 for unknown chats, 901 without permission, 950 after a closed window."""

    def __init__(self, community: Community, switches: Switchboard[VkFaults], per_hour: int) -> None:
        self._community = community
        self._switches = switches
        self._per_hour = per_hour
        self._written: defaultdict[int, deque[float]] = defaultdict(deque)

    def code(self, peer_id: int) -> int | None:
        """The code that stands before this peer; None when the way is free."""
        user = self._community.users.get(peer_id)
        switched = self._switches.now.peers
        for name in (str(peer_id), user.name if user else ""):
            if name in switched:
                return switched[name]
        if peer_id > CHATS_FROM:
            return None if peer_id in self._community.dialogs else 917
        if user is None or not user.allowed:
            return 901
        dialog = self._community.dialogs.get(peer_id)
        return 950 if dialog and dialog.closed else None

    def count(self, peer_id: int) -> int | None:
        """Count a message; 9 when the hour of this peer is full (§1)."""
        written, now = self._written[peer_id], self._community.clock()
        while written and written[0] <= now - HOUR:
            written.popleft()
        if len(written) >= self._per_hour:
            return 9
        written.append(now)
        return None

    def forget(self) -> None:
        self._written.clear()
