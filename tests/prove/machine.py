"""Whatever happens in whatever order, the promises hold: rules that hypothesis draws."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.prove.fuse import Cut
from tests.prove.ground import ANY, FEW, HOUSE, LINE, MANY, MOOD, SOME, WHERE, WHO, only_when
from tests.prove.messenger import House, Mood, Place
from tests.prove.operators import Operators
from tests.prove.oracle import Kind


class Machine(Operators):
    """What customers, messengers and agents do; the other rules stand in files of their nouns."""

    # --- customers and messengers -----------------------------------------------------------------------

    @rule(where=WHERE, amount=st.integers(1, 3), pressed=st.booleans(), cut=LINE)
    def a_customer_writes(self, where: Place, amount: int, pressed: bool, cut: Cut | None) -> None:
        kind: Kind = "postback" if pressed else "message"
        said = [self.world.oracle.says(where, kind, self.stage.clock.now_ms()) for _ in range(amount)]
        self.run(self.world.deliver(said, cut))

    @rule(where=WHERE)
    def a_webhook_is_late(self, where: Place) -> None:
        self.world.oracle.says(where, "message", self.stage.clock.now_ms())

    @rule(which=ANY, cut=LINE)
    @only_when(lambda self: self.world.oracle.undelivered())
    def a_late_webhook_comes(self, which: int, cut: Cut | None) -> None:
        late = self.world.oracle.undelivered()
        self.run(self.world.deliver([late[which % len(late)]], cut))

    @rule(which=ANY)
    @only_when(lambda self: self.world.oracle.events)
    def a_webhook_is_repeated(self, which: int) -> None:
        events = self.world.oracle.events
        self.run(self.world.deliver([events[which % len(events)]]))

    @rule(which=ANY, gone=st.booleans(), late=st.booleans())
    @only_when(lambda self: self.world.oracle.changeable())
    def a_message_is_changed(self, which: int, gone: bool, late: bool) -> None:
        there = self.world.oracle.changeable()
        said, now = there[which % len(there)], self.stage.clock.now_ms()
        words = "" if gone else f"{said.target} edited at {len(self.world.oracle.events)}"
        change = self.world.oracle.happens(said.place, "delete" if gone else "edit", said.target, words, now)
        if not late:
            self.run(self.world.deliver([change]))

    @rule(where=WHERE)
    def an_operator_types(self, where: Place) -> None:
        said = self.world.oracle.says(where, "operator_message", self.stage.clock.now_ms())
        self.run(self.world.deliver([said]))

    @rule(which=ANY, read=st.booleans())
    @only_when(lambda self: self.world.posted())
    def a_receipt_comes(self, which: int, read: bool) -> None:
        posted = self.world.posted()
        place, message_id = posted[which % len(posted)]
        kind: Kind = "read" if read else "delivered"
        now = self.stage.clock.now_ms()
        self.run(self.world.deliver([self.world.oracle.happens(place, kind, message_id, "", now)]))

    @rule(where=WHERE)
    def a_customer_types(self, where: Place) -> None:
        now = self.stage.clock.now_ms()
        self.run(self.world.deliver([self.world.oracle.happens(where, "typing", "typing", "", now)]))

    @rule(house=HOUSE, cut=LINE)
    def an_echo_comes(self, house: House, cut: Cut | None) -> None:
        self.run(self.world.deliver_echo(house, cut))

    @rule(garbage=st.sampled_from([b"{", b"\xff\x00", b'{"channel": "avito"}', b"[]"]))
    @only_when(lambda self: not self.stage.redis.away)
    def garbage_is_pushed(self, garbage: bytes) -> None:
        self.world.oracle.garbage.append(garbage)
        self.run(self.stage.redis.client.rpush("queue:incoming", garbage))

    # --- servers ----------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 20, 60, 130, 301, 701]))
    def time_passes(self, seconds: int) -> None:
        self.run(self.stage.pass_time(seconds))

    @rule()
    @only_when(lambda self: not self.stage.redis.away)
    def redis_goes_away(self) -> None:
        self.stage.redis.go_away()

    @rule(house=HOUSE, cut=LINE)
    @only_when(lambda self: self.stage.redis.away)
    def redis_is_back(self, house: House, cut: Cut | None) -> None:
        self.run(self.world.redis_is_back(house, cut))

    @rule(who=WHO, cut=FEW)
    def messages_are_collected(self, who: int, cut: Cut | None) -> None:
        self.do(who, lambda hub: hub.collect(hub.incoming), cut)

    @rule(who=WHO, cut=MANY)
    def batches_become_turns(self, who: int, cut: Cut | None) -> None:
        self.do(who, lambda hub: hub.gather(), cut)

    @rule(who=WHO, cut=MANY)
    def silence_falls_and_all_loops_run(self, who: int, cut: Cut | None) -> None:
        self.do(who, lambda hub: hub.collect(hub.incoming), None)
        self.run(self.stage.pass_time(21))
        self.run(self.world.work(who, lambda hub: hub.work(), cut))

    @rule(who=WHO, cut=SOME)
    def the_list_is_accepted(self, who: int, cut: Cut | None) -> None:
        self.do(who, lambda hub: hub.accept_listed(), cut)

    @rule(who=WHO, cut=SOME)
    def replies_are_relayed(self, who: int, cut: Cut | None) -> None:
        self.do(who, lambda hub: hub.relay(), cut)

    @rule(who=WHO, house=HOUSE, mood=MOOD, cut=MANY, line_cut=LINE)
    def replies_are_sent(
        self, who: int, house: House, mood: Mood, cut: Cut | None, line_cut: Cut | None
    ) -> None:
        self.world.messengers[house].feel(mood)
        self.run(self.world.send_with(who, house, (cut, line_cut), lambda hub: hub.send()))
        self.world.messengers[house].recover()

    # --- agents -----------------------------------------------------------------------------------------

    @rule(who=WHO, cut=SOME)
    def an_agent_takes_a_turn(self, who: int, cut: Cut | None) -> None:
        self.run(self.world.take_turn(who, cut))

    @rule(who=WHO, which=ANY, silent=st.booleans(), force=st.booleans(), cut=MANY)
    @only_when(lambda self: self.world.agents.hands)
    def an_agent_finishes(self, who: int, which: int, silent: bool, force: bool, cut: Cut | None) -> None:
        hands = self.world.agents.hands
        answer = self.world.agents.answer(hands[which % len(hands)], silent=silent, force=force)
        self.run(self.world.finish(who, answer, cut))

    @rule(who=WHO, which=ANY, cut=MANY)
    @only_when(lambda self: self.world.agents.answers)
    def an_agent_repeats_its_call(self, who: int, which: int, cut: Cut | None) -> None:
        answers = self.world.agents.in_doubt() or self.world.agents.answers
        self.run(self.world.finish(who, answers[which % len(answers)], cut))

    @rule(who=WHO, which=ANY, operation=st.sampled_from(["release_turn", "extend_turn"]), cut=SOME)
    @only_when(lambda self: self.world.agents.hands)
    def an_agent_keeps_or_returns_a_turn(self, who: int, which: int, operation: str, cut: Cut | None) -> None:
        hands = self.world.agents.hands
        self.run(self.world.keep_or_return(who, hands[which % len(hands)], operation, cut))

    @rule(who=WHO, where=WHERE, cut=SOME)
    def a_question_reaches_an_agent(self, who: int, where: Place, cut: Cut | None) -> None:
        self.a_customer_writes(where, 1, False, None)
        self.silence_falls_and_all_loops_run(who, None)
        self.an_agent_takes_a_turn(who, cut)

    @rule(who=WHO, which=ANY, mood=MOOD, cut=MANY, line_cut=LINE)
    @only_when(lambda self: self.world.agents.hands)
    def an_answer_is_given_and_sent(
        self, who: int, which: int, mood: Mood, cut: Cut | None, line_cut: Cut | None
    ) -> None:
        house = self.world.agents.hands[which % len(self.world.agents.hands)].place[:2]
        self.an_agent_finishes(who, which, False, False, None)
        self.replies_are_relayed(who, None)
        self.replies_are_sent(who, house, mood, cut, line_cut)

    @rule(which=ANY)
    @only_when(lambda self: self.world.agents.hands)
    def an_agent_forgets_its_turn(self, which: int) -> None:
        hands = self.world.agents.hands
        hands.pop(which % len(hands))

    @rule(who=WHO, which=ANY, cut=SOME)
    @only_when(lambda self: self.world.agents.hands)
    def an_agent_hands_off(self, who: int, which: int, cut: Cut | None) -> None:
        hands = self.world.agents.hands
        self.run(self.world.hand_off(who, hands[which % len(hands)], cut))

    @rule(who=WHO, where=WHERE, deed=st.sampled_from(["pause", "resume", "send_message"]), cut=SOME)
    def an_operator_takes_part(self, who: int, where: Place, deed: str, cut: Cut | None) -> None:
        self.run(self.world.operator_does(who, where, deed, cut))

    @rule(who=WHO, where=WHERE, seconds=st.sampled_from([5, 90]), cut=SOME)
    def something_is_scheduled(self, who: int, where: Place, seconds: int, cut: Cut | None) -> None:
        self.run(self.world.schedule(who, where, seconds, cut))

    @rule(who=WHO, cut=SOME)
    def the_timers_run(self, who: int, cut: Cut | None) -> None:
        self.do(who, lambda hub: hub.timers(), cut)

    @rule(who=WHO, where=WHERE, key=st.integers(1, 3), cut=SOME)
    def somebody_writes_first(self, who: int, where: Place, key: int, cut: Cut | None) -> None:
        self.run(self.world.write_first(who, where, key, cut))

    @rule(where=WHERE, key=st.integers(1, 3), times=st.integers(1, 2))
    @only_when(lambda self: not self.stage.redis.away)
    def a_producer_pushes_a_message(self, where: Place, key: int, times: int) -> None:
        self.run(self.world.push_outgoing(where, key, times))
