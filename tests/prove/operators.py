"""What operators and programs do beside the conversations: rules that hypothesis draws."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.prove import bulks, cases, doubts, letters, people
from tests.prove.cases import Status
from tests.prove.doubts import Deed
from tests.prove.fuse import Cut
from tests.prove.ground import ANY, HOUSE, PLACES, SOME, TELEGRAMS, WHERE, WHO, Ground, cuts, only_when
from tests.prove.letters import DOORS, Door
from tests.prove.messenger import TELEGRAM, House, Mood, Place

DEED: st.SearchStrategy[Deed] = st.sampled_from(["settle", "resend"])
DOOR: st.SearchStrategy[Door] = st.sampled_from(DOORS)
STATUS: st.SearchStrategy[Status] = st.sampled_from(
    ["open", "waiting_client", "snoozed", "resolved", "resolved"]
)
#: Whoever stalls here holds all locks of a client, and others wait.
BROKEN = cuts(40, st.sampled_from(["kill", "lose"]))
#: The messenger does not tell.
SILENT: st.SearchStrategy[Mood] = st.sampled_from(["mute", "deaf"])


class Operators(Ground):
    """Bulks, cancelling, what is in doubt, dead letters, cases, who is who."""

    @rule(who=WHO, house=HOUSE, key=st.integers(1, 2), cut=SOME)
    def a_bulk_is_sent(self, who: int, house: House, key: int, cut: Cut | None) -> None:
        places = [place for place in PLACES if place[:2] == house]
        self._all_write(who, *places)
        self.run(bulks.send_bulk(self.world, who, house, [place[2] for place in places], key, cut))

    @rule(who=WHO, which=st.sampled_from([-1, 0, 1]), cut=SOME)
    @only_when(lambda self: self.world.oracle.bulks)
    def a_bulk_is_cancelled(self, who: int, which: int, cut: Cut | None) -> None:
        known = list(self.world.oracle.bulks)
        self.run(bulks.cancel_bulk(self.world, who, known[which % len(known)], cut))

    @rule(who=WHO, which=ANY, cut=SOME)
    @only_when(lambda self: self.world.oracle.deliveries)
    def a_message_is_cancelled(self, who: int, which: int, cut: Cut | None) -> None:
        latest = list(reversed(self.world.oracle.deliveries))
        self.run(bulks.cancel_message(self.world, who, latest[which % len(latest)], cut))

    @rule(who=WHO, mood=SILENT, deed=DEED, cut=SOME)
    def a_message_in_doubt_is_decided(self, who: int, mood: Mood, deed: Deed, cut: Cut | None) -> None:
        self.run(self.world.schedule(who, TELEGRAMS, 1, None))
        self.world.messengers[TELEGRAM].feel(mood)
        for _ in range(2):
            self.run(self.stage.pass_time(30))
            self.run(self.world.work(who, lambda hub: hub.leave(), None))
        self.world.messengers[TELEGRAM].recover()
        self.run(doubts.decide(self.world, who, -1, deed, cut))

    @rule(who=WHO, which=ANY, deed=DEED, cut=SOME)
    def an_operator_decides_what_is_in_doubt(self, who: int, which: int, deed: Deed, cut: Cut | None) -> None:
        self.run(doubts.decide(self.world, who, which, deed, cut))

    @rule(who=WHO, which=ANY, cut=SOME)
    @only_when(lambda self: not self.stage.redis.away)
    def a_letter_is_replayed(self, who: int, which: int, cut: Cut | None) -> None:
        self.run(letters.replay(self.world, who, which, cut))

    @rule(who=WHO, where=WHERE, cut=SOME)
    @only_when(lambda self: not self.stage.redis.away)
    def a_refused_message_is_let_go(self, who: int, where: Place, cut: Cut | None) -> None:
        self.run(self.world.schedule(who, where, 1, None))
        self.run(self.stage.pass_time(2))
        self.world.messengers[where[:2]].feel("refusing")
        self.run(self.world.work(who, lambda hub: hub.leave(), None))
        self.world.messengers[where[:2]].recover()
        self.run(letters.replay(self.world, who, -1, cut))

    @rule(who=WHO, door=DOOR, cut=SOME)
    @only_when(lambda self: not self.stage.redis.away)
    def all_letters_are_replayed(self, who: int, door: Door, cut: Cut | None) -> None:
        self.run(letters.replay_all(self.world, who, door, cut))

    @rule(who=WHO, which=ANY, where=WHERE, cut=SOME)
    @only_when(lambda self: not self.stage.redis.away)
    def a_letter_is_mended_and_replayed(self, who: int, which: int, where: Place, cut: Cut | None) -> None:
        self.run(letters.mend(self.world, who, which, where, None))
        self.run(letters.replay(self.world, who, which, cut))

    @rule(who=WHO, which=ANY, cut=SOME)
    @only_when(lambda self: not self.stage.redis.away)
    def a_letter_is_purged(self, who: int, which: int, cut: Cut | None) -> None:
        self.run(letters.purge(self.world, who, which, cut))

    @rule(who=WHO, which=ANY, status=STATUS, cut=SOME)
    def an_operator_changes_a_case(self, who: int, which: int, status: Status, cut: Cut | None) -> None:
        self.run(cases.change(self.world, who, which, status, cut))

    @rule()
    def two_chats_become_turns_at_once(self) -> None:
        for place in PLACES[:2]:
            said = self.world.oracle.says(place, "message", self.stage.clock.now_ms())
            self.run(self.world.deliver([said]))
        self.do(0, lambda hub: hub.collect(hub.incoming), None)
        self.run(self.stage.pass_time(21))
        self.run(self.world.both(lambda hub: hub.gather(1)))

    @rule(who=WHO, first=WHERE, second=WHERE, undone=st.booleans(), cut=BROKEN)
    def two_clients_are_merged(
        self, who: int, first: Place, second: Place, undone: bool, cut: Cut | None
    ) -> None:
        self._all_write(who, first, second)
        self.run(people.merge(self.world, who, (first, second), None if undone else cut))
        self._all_write(who, first, second)
        if undone:
            self.run(people.separate(self.world, who, cut))

    @rule(who=WHO, cut=BROKEN)
    @only_when(lambda self: self.world.oracle.merged)
    def a_merge_is_undone(self, who: int, cut: Cut | None) -> None:
        self.run(people.separate(self.world, who, cut))

    def _all_write(self, who: int, *places: Place) -> None:
        for place in places:
            said = self.world.oracle.says(place, "message", self.stage.clock.now_ms())
            self.run(self.world.deliver([said]))
        self.do(who, lambda hub: hub.collect(hub.incoming), None)
        self.run(self.stage.pass_time(21))
        self.do(who, lambda hub: hub.gather(), None)

    @rule(who=WHO, which=ANY, cut=BROKEN)
    @only_when(lambda self: not self.stage.redis.away)
    def a_client_is_erased(self, who: int, which: int, cut: Cut | None) -> None:
        self.run(people.erase(self.world, who, which, cut))
