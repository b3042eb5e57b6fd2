"""What operators and programs do beside the conversations: rules that hypothesis draws."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.prove import bulks, doubts, letters
from tests.prove.doubts import Deed
from tests.prove.fuse import Cut
from tests.prove.ground import ANY, HOUSE, PLACES, SOME, TELEGRAMS, WHERE, WHO, Ground
from tests.prove.letters import DOORS, Door
from tests.prove.messenger import TELEGRAM, House, Mood, Place

DEED: st.SearchStrategy[Deed] = st.sampled_from(["settle", "resend"])
DOOR: st.SearchStrategy[Door] = st.sampled_from(DOORS)
#: The messenger does not tell.
SILENT: st.SearchStrategy[Mood] = st.sampled_from(["mute", "deaf"])


class Operators(Ground):
    """Bulks, cancelling, what is in doubt, dead letters."""

    @rule(who=WHO, house=HOUSE, key=st.integers(1, 2), cut=SOME)
    def a_bulk_is_sent(self, who: int, house: House, key: int, cut: Cut | None) -> None:
        chats = [place[2] for place in PLACES if place[:2] == house]
        self.run(bulks.send_bulk(self.world, who, house, chats, key, cut))

    @precondition(lambda self: self.world.oracle.bulks)
    @rule(who=WHO, which=ANY, cut=SOME)
    def a_bulk_is_cancelled(self, who: int, which: int, cut: Cut | None) -> None:
        known = list(self.world.oracle.bulks)
        self.run(bulks.cancel_bulk(self.world, who, known[which % len(known)], cut))

    @precondition(lambda self: self.world.oracle.deliveries)
    @rule(who=WHO, which=ANY, cut=SOME)
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

    @precondition(lambda self: not self.stage.redis.away)
    @rule(who=WHO, which=ANY, cut=SOME)
    def a_letter_is_replayed(self, who: int, which: int, cut: Cut | None) -> None:
        self.run(letters.replay(self.world, who, which, cut))

    @precondition(lambda self: not self.stage.redis.away)
    @rule(who=WHO, door=DOOR, cut=SOME)
    def all_letters_are_replayed(self, who: int, door: Door, cut: Cut | None) -> None:
        self.run(letters.replay_all(self.world, who, door, cut))

    @precondition(lambda self: not self.stage.redis.away)
    @rule(who=WHO, which=ANY, where=WHERE, cut=SOME)
    def a_letter_is_mended_and_replayed(self, who: int, which: int, where: Place, cut: Cut | None) -> None:
        self.run(letters.mend(self.world, who, which, where, None))
        self.run(letters.replay(self.world, who, which, cut))

    @precondition(lambda self: not self.stage.redis.away)
    @rule(who=WHO, which=ANY, cut=SOME)
    def a_letter_is_purged(self, who: int, which: int, cut: Cut | None) -> None:
        self.run(letters.purge(self.world, who, which, cut))
