"""The whole way of a message, cut at every single await of it, one after the other."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from tests.prove.fuse import Cut, What, When
from tests.prove.messenger import AVITO, Place
from tests.prove.stage import Stage
from tests.prove.verdict import hold_to_the_promises
from tests.prove.world import World

PLACE: Place = (*AVITO, "чат 1")
Role = Literal["orchestrator", "channel"]
Step = Callable[[World, Cut | None, Cut | None], Awaitable[None]]
ROLES: tuple[Role, ...] = ("orchestrator", "channel")
#: Arms a fuse, so that it counts, and never acts.
_NEVER = Cut(10**9, "before", "kill")
#: How each kind of cut can be made: who is stalled is an orchestrator.
WAYS: tuple[tuple[Role, What], ...] = (
    ("orchestrator", "kill"),
    ("orchestrator", "lose"),
    ("orchestrator", "stall"),
    ("channel", "kill"),
    ("channel", "lose"),
)


@dataclass(frozen=True, slots=True)
class Point:
    """The await number `at` of a process within a step."""

    step: int
    role: Role
    at: int
    name: str


async def _writes(world: World, cut: Cut | None) -> None:
    event = world.oracle.says(PLACE, "message", world.stage.clock.now_ms())
    await world.deliver([event], cut)


async def _a_message_comes(world: World, _: Cut | None, cut: Cut | None) -> None:
    await _writes(world, cut)


async def _a_message_comes_while_redis_is_away(world: World, _: Cut | None, cut: Cut | None) -> None:
    world.stage.redis.go_away()
    await _writes(world, cut)


async def _redis_is_back(world: World, _: Cut | None, cut: Cut | None) -> None:
    await world.redis_is_back(AVITO, cut)


async def _it_is_edited(world: World, _: Cut | None, cut: Cut | None) -> None:
    said = world.oracle.changeable()[0]
    now = world.stage.clock.now_ms()
    await world.deliver([world.oracle.happens(PLACE, "edit", said.target, "other words", now)], cut)


async def _garbage_comes(world: World, cut: Cut | None, _: Cut | None) -> None:
    world.oracle.garbage.append(b"{")
    await world.stage.redis.client.rpush("queue:incoming", b"{")
    await world.do(0, lambda hub: hub.collect(hub.incoming), cut)


async def _a_turn_is_made(world: World, cut: Cut | None, _: Cut | None) -> None:
    await world.do(0, lambda hub: hub.collect(hub.incoming), None)
    await world.stage.pass_time(21)
    await world.do(0, lambda hub: hub.work(), cut)


async def _an_agent_takes_it(world: World, cut: Cut | None, _: Cut | None) -> None:
    await world.take_turn(0, cut)


async def _an_agent_keeps_it(world: World, cut: Cut | None, _: Cut | None) -> None:
    if world.agents.hands:
        await world.keep_or_return(0, world.agents.hands[0], "extend_turn", cut)


async def _an_agent_answers(world: World, cut: Cut | None, _: Cut | None) -> None:
    if world.agents.hands:
        await world.finish(0, world.agents.answer(world.agents.hands[0]), cut)


async def _an_agent_needs_say_nothing(world: World, cut: Cut | None, _: Cut | None) -> None:
    if world.agents.hands:
        await world.finish(0, world.agents.answer(world.agents.hands[0], silent=True), cut)


async def _somebody_writes_first(world: World, cut: Cut | None, _: Cut | None) -> None:
    await world.write_first(0, PLACE, 1, cut)


async def _a_producer_pushes(world: World, _: Cut | None, __: Cut | None) -> None:
    await world.push_outgoing(PLACE, 1, 2)


async def _all_is_sent(world: World, cut: Cut | None, line: Cut | None) -> None:
    await world.send_with(0, AVITO, (cut, line), lambda hub: hub.leave())


async def _nobody_knows_what_was_sent(world: World, cut: Cut | None, line: Cut | None) -> None:
    world.messengers[AVITO].feel("mute")
    await _an_agent_takes_it(world, None, None)
    await _an_agent_answers(world, None, None)
    await _all_is_sent(world, None, None)
    world.messengers[AVITO].recover()
    await world.stage.pass_time(30)
    await _all_is_sent(world, cut, line)


async def _an_echo_comes(world: World, _: Cut | None, cut: Cut | None) -> None:
    await world.deliver_echo(AVITO, cut)


async def _a_receipt_comes(world: World, _: Cut | None, cut: Cut | None) -> None:
    place, name = world.posted()[-1] if world.posted() else (PLACE, "nothing")
    receipt = world.oracle.happens(place, "read", name, "", world.stage.clock.now_ms())
    await world.deliver([receipt], cut)


async def _an_agent_gives_it_back(world: World, cut: Cut | None, _: Cut | None) -> None:
    if world.agents.hands:
        await world.keep_or_return(0, world.agents.hands[0], "release_turn", cut)


async def _an_agent_hands_it_off(world: World, cut: Cut | None, _: Cut | None) -> None:
    if world.agents.hands:
        await world.hand_off(0, world.agents.hands[0], cut)


async def _a_person_gives_it_back(world: World, cut: Cut | None, _: Cut | None) -> None:
    await world.operator_does(0, PLACE, "resume", cut)


async def _a_person_types(world: World, _: Cut | None, cut: Cut | None) -> None:
    said = world.oracle.says(PLACE, "operator_message", world.stage.clock.now_ms())
    await world.deliver([said], cut)


async def _it_is_taken_back(world: World, _: Cut | None, cut: Cut | None) -> None:
    said = world.oracle.changeable()[-1]
    now = world.stage.clock.now_ms()
    await world.deliver([world.oracle.happens(PLACE, "delete", said.target, "", now)], cut)


async def _something_is_scheduled(world: World, cut: Cut | None, _: Cut | None) -> None:
    await world.schedule(0, PLACE, 5, cut)


async def _the_messenger_is_down(world: World, cut: Cut | None, line: Cut | None) -> None:
    await world.stage.pass_time(6)
    world.messengers[AVITO].feel("down")
    await _all_is_sent(world, cut, line)
    world.messengers[AVITO].recover()


async def _the_timers_run(world: World, cut: Cut | None, _: Cut | None) -> None:
    await world.stage.pass_time(201)
    await world.do(0, lambda hub: hub.timers(), cut)


STEPS: tuple[Step, ...] = (
    _a_message_comes,
    _a_message_comes_while_redis_is_away,
    _redis_is_back,
    _it_is_edited,
    _garbage_comes,
    _a_turn_is_made,
    _an_agent_takes_it,
    _an_agent_keeps_it,
    _a_message_comes,
    _an_agent_answers,
    _an_agent_answers,
    _somebody_writes_first,
    _a_producer_pushes,
    _all_is_sent,
    _an_echo_comes,
    _a_receipt_comes,
    _a_message_comes,
    _a_turn_is_made,
    _nobody_knows_what_was_sent,
    _a_message_comes,
    _a_turn_is_made,
    _an_agent_takes_it,
    _an_agent_needs_say_nothing,
    _something_is_scheduled,
    _the_messenger_is_down,
    _all_is_sent,
    _a_message_comes,
    _a_turn_is_made,
    _an_agent_takes_it,
    _it_is_edited,
    _it_is_taken_back,
    _a_turn_is_made,
    _an_agent_gives_it_back,
    _a_message_comes,
    _a_turn_is_made,
    _an_agent_takes_it,
    _an_agent_hands_it_off,
    _a_person_gives_it_back,
    _an_agent_takes_it,
    _a_person_types,
    _a_turn_is_made,
    _the_timers_run,
)


def first_of_each(points: list[Point], role: Role) -> list[Point]:
    """The first await of each name."""
    found: dict[str, Point] = {}
    for point in points:
        if point.role == role:
            found.setdefault(point.name, point)
    return list(found.values())


async def pilot(stage: Stage) -> list[Point]:
    """Go the whole way without a cut: every await of it, as it is when Redis knows the scripts."""
    await _pass(stage)
    return await _pass(stage)


async def _pass(stage: Stage) -> list[Point]:
    world = World(stage)
    await stage.reset()
    points: list[Point] = []
    for number, step in enumerate(STEPS):
        stage.log.trail = []
        await step(world, _NEVER, _NEVER)
        trail, stage.log.trail = stage.log.trail, None
        fuses = {"orchestrator": world.hub(0).fuse, "channel": (await world.channel(AVITO)).fuse}
        for role in ROLES:
            names = [name for owner, name in trail or () if owner is fuses[role]]
            points += [Point(number, role, at, name) for at, name in enumerate(names)]
    await hold_to_the_promises(world)
    await world.end()
    return points


async def cut_at(stage: Stage, point: Point, when: When, what: What) -> None:
    """Go the whole way with this cut; AssertionError when a promise is broken then."""
    world = World(stage)
    await stage.reset()
    cut = Cut(point.at, when, what)
    try:
        for number, step in enumerate(STEPS):
            mine = number == point.step
            at_hub = cut if mine and point.role == "orchestrator" else None
            await step(world, at_hub, cut if mine and point.role == "channel" else None)
        await hold_to_the_promises(world)
    except AssertionError as error:
        raise AssertionError(f"{what} {when} {point}: {error}") from error
    finally:
        stage.redis.come_back()
        await world.end()
