"""Whatever is lost, doubled or late on the way, and whoever restarts: the games go on."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_wire.codec import encode
from ssd_wire.messages import Join, Refused, Seat

FATES = st.sampled_from(["arrives"] * 6 + ["lost", "doubled", "late"])
EXPERIMENTS = st.sampled_from(
    [
        {},
        {"influence": "basic", "leaders": 2, "influencee_reward": True},
        {"influence": "basic", "roles": ("influencee", "influencer", "influencee")},
        {"influence": "basic", "roles": ("plain", "influencee", "influencer")},
        {"influence": "communication", "symbols": 4},
        {"symbols": 4, "leaders": 1, "reward": "prosocial"},
    ]
)


class Actor:
    """Answers each timestep once, and asks again when it has heard nothing for a second."""

    def __init__(self, agent, incarnation, fingerprint, script):
        self.agent, self.incarnation, self.script = agent, incarnation, script
        self.join = Join(agent, incarnation, fingerprint)
        self.told = defaultdict(list)  # by lane
        self.acts = defaultdict(list)
        self.seated = self.ended = False
        self.silence = 0.0  # seconds

    @property
    def peer(self):
        return f"actor-{self.agent}-{self.incarnation}".encode()

    def repeat(self):
        if not self.seated:
            return [self.join]
        return [acts[-1] for acts in self.acts.values()]

    def hear(self, message):
        if isinstance(message, Refused):
            self.ended |= message.fatal
            return [] if message.fatal else [self.join]
        if isinstance(message, Seat):
            self.seated = True
            return []
        told, acts = self.told[message.lane], self.acts[message.lane]
        if told and message.tick < told[-1].tick:
            return []
        if not told or message.tick > told[-1].tick:
            assert not told or message.tick == told[-1].tick + 1
            told.append(message)
            acts.append(self.script(self.agent, message.tick, message.lane))
        return [acts[-1]]


class Post:
    """Carries messages between a world and its actors, by drawn fates while there are any."""

    def __init__(self, world, fates, restarts):
        self.world, self.fates = world, list(fates)
        self.restarts = list(restarts)
        self.actors = {}
        self.everyone = []
        self.late = []
        for agent in range(3):
            self.start(agent)

    def start(self, agent):
        incarnation = len(self.everyone)
        actor = Actor(agent, incarnation, self.world.referee.fingerprint, self.world.scripted)
        self.actors[agent] = actor
        self.everyone.append(actor)
        self.give(actor, [actor.join])

    def fate(self):
        return self.fates.pop() if self.fates else "arrives"

    def carry(self, item):
        """The item as often as it arrives now."""
        fate = self.fate()
        if fate == "late":
            self.late.append(item)
        return [item] * {"arrives": 1, "doubled": 2}.get(fate, 0)

    def give(self, actor, messages):
        for message in messages:
            frames = [bytes(frame) for frame in encode(message)]
            self.world.door.arrived.extend(self.carry((actor.peer, frames)))

    def round(self):
        """A tenth of a second: everyone hears what there is, and answers or asks again."""
        self.world.now += 0.1
        self.world.door.arrived.extend(self.late)
        self.late = []
        if self.restarts and self.restarts.pop():
            self.start(len(self.everyone) % 3)
        sent = self.world.serve()
        living = {actor.peer: actor for actor in self.actors.values()}
        for peer, message in sent:
            if peer in living and self.fate() in ("arrives", "late"):
                self.give(living[peer], living[peer].hear(message))
        for actor in living.values():
            actor.silence = (
                0.0 if any(peer == actor.peer for peer, _ in sent) else actor.silence + 0.1
            )
            if actor.silence > 1.0:
                actor.silence = 0.0
                self.give(actor, actor.repeat())

    def play(self, ticks):
        """Go on until every lane has come so far and there are no fates left."""
        lanes = self.world.referee.lanes
        for _ in range(1000):
            if min(lane.tick for lane in lanes) >= ticks and not (self.fates or self.restarts):
                return self
            self.round()
        raise AssertionError([lane.tick for lane in lanes])

    def told(self):
        """Every timestep that any actor took, by agent, lane and tick."""
        return {
            (actor.agent, lane, step.tick): step
            for actor in self.everyone
            for lane, steps in actor.told.items()
            for step in steps
        }


@settings(max_examples=60, deadline=None)
@given(EXPERIMENTS, st.lists(FATES, max_size=300), st.lists(st.booleans(), max_size=12))
def test_every_lane_goes_on_and_all_see_the_actions_that_were_taken(
    small_world, experiment, fates, restarts
):
    post = Post(small_world(**experiment), fates, restarts).play(20)
    assert not any(actor.ended for actor in post.actors.values())
    for (_, lane, tick), step in post.told().items():
        for agent in range(3 if tick else 0):
            done = post.world.scripted(agent, tick - 1, lane).action
            assert (step.actions[:, agent] == done).all()


@settings(max_examples=40, deadline=None)
@given(EXPERIMENTS, st.lists(FATES, max_size=300), st.lists(st.booleans(), max_size=12))
def test_nothing_but_what_agents_answer_decides_what_happens_and_what_is_told(
    small_world, experiment, fates, restarts
):
    calm = Post(small_world(**experiment), [], []).play(20).told()
    rough = Post(small_world(**experiment), fates, restarts).play(20).told()
    for place in calm.keys() & rough.keys():
        assert encode(calm[place])[1:] == encode(rough[place])[1:], place


@settings(max_examples=30, deadline=None)
@given(
    st.permutations(("influencer", "influencee", "influencee"))
    | st.permutations(("influencer", "influencee", "influencer"))
    | st.permutations(("influencer", "influencee", "plain")),
    st.lists(FATES, max_size=300),
    st.lists(st.booleans(), max_size=12),
)
def test_whoever_follows_is_told_what_its_leaders_do_in_that_very_step(
    small_world, roles, fates, restarts
):
    world = small_world(influence="basic", roles=roles)
    post = Post(world, fates, restarts).play(20)
    leaders = [agent for agent in range(3) if roles[agent] == "influencer"]
    for (agent, lane, tick), step in post.told().items():
        if roles[agent] != "influencee":
            assert step.leader_actions is None
            continue
        for place, leader in enumerate(leaders):
            assert (
                step.leader_actions[:, place] == world.scripted(leader, tick, lane).action
            ).all()
