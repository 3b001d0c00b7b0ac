"""The games go on whatever messages are lost, duplicated or late, and whatever actors restart."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_wire.codec import encode
from ssd_wire.messages import Join, Refused, Seat

FATES = st.sampled_from(["arrives"] * 6 + ["lost", "duplicated", "late"])
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
    """Acts once at each timestep, and repeats itself after a second without messages."""

    def __init__(self, agent, incarnation, fingerprint, script):
        self.agent, self.incarnation, self.script = agent, incarnation, script
        self.join = Join(agent, incarnation, fingerprint)
        self.received = defaultdict(list)  # by lane
        self.acts = defaultdict(list)
        self.seated = self.ended = False
        self.idle_seconds = 0.0

    @property
    def peer(self):
        return f"actor-{self.agent}-{self.incarnation}".encode()

    def repeat(self):
        if not self.seated:
            return [self.join]
        return [acts[-1] for acts in self.acts.values()]

    def receive(self, message):
        if isinstance(message, Refused):
            self.ended |= message.fatal
            return [] if message.fatal else [self.join]
        if isinstance(message, Seat):
            self.seated = True
            return []
        received, acts = self.received[message.lane], self.acts[message.lane]
        if received and message.tick < received[-1].tick:
            return []
        if not received or message.tick > received[-1].tick:
            assert not received or message.tick == received[-1].tick + 1
            received.append(message)
            acts.append(self.script(self.agent, message.tick, message.lane))
        return [acts[-1]]


class Network:
    """Carries messages between an environment and its actors; random fates decide what arrives."""

    def __init__(self, env, fates, restarts):
        self.env, self.fates = env, list(fates)
        self.restarts = list(restarts)
        self.actors = {}
        self.everyone = []
        self.late = []
        for agent in range(3):
            self.start(agent)

    def start(self, agent):
        incarnation = len(self.everyone)
        actor = Actor(agent, incarnation, self.env.coordinator.fingerprint, self.env.scripted)
        self.actors[agent] = actor
        self.everyone.append(actor)
        self.give(actor, [actor.join])

    def fate(self):
        return self.fates.pop() if self.fates else "arrives"

    def carry(self, item):
        """The message, as many times as it arrives now."""
        fate = self.fate()
        if fate == "late":
            self.late.append(item)
        return [item] * {"arrives": 1, "duplicated": 2}.get(fate, 0)

    def give(self, actor, messages):
        for message in messages:
            frames = [bytes(frame) for frame in encode(message)]
            self.env.socket.arrived.extend(self.carry((actor.peer, frames)))

    def round(self):
        """A tenth of a second: all that arrives is received, and actors answer or repeat."""
        self.env.now += 0.1
        self.env.socket.arrived.extend(self.late)
        self.late = []
        if self.restarts and self.restarts.pop():
            self.start(len(self.everyone) % 3)
        sent = self.env.serve()
        living = {actor.peer: actor for actor in self.actors.values()}
        for peer, message in sent:
            if peer in living and self.fate() in ("arrives", "late"):
                self.give(living[peer], living[peer].receive(message))
        for actor in living.values():
            actor.idle_seconds = (
                0.0 if any(peer == actor.peer for peer, _ in sent) else actor.idle_seconds + 0.1
            )
            if actor.idle_seconds > 1.0:
                actor.idle_seconds = 0.0
                self.give(actor, actor.repeat())

    def play(self, ticks):
        """Run until every lane has reached this tick and all fates are used up."""
        lanes = self.env.coordinator.lanes
        for _ in range(1000):
            if min(lane.tick for lane in lanes) >= ticks and not (self.fates or self.restarts):
                return self
            self.round()
        raise AssertionError([lane.tick for lane in lanes])

    def received(self):
        """Every timestep that any actor accepted, by agent, lane and tick."""
        return {
            (actor.agent, lane, step.tick): step
            for actor in self.everyone
            for lane, steps in actor.received.items()
            for step in steps
        }


@settings(max_examples=60, deadline=None)
@given(EXPERIMENTS, st.lists(FATES, max_size=300), st.lists(st.booleans(), max_size=12))
def test_every_lane_goes_on_and_all_agents_receive_the_actions_taken(
    make_env, experiment, fates, restarts
):
    network = Network(make_env(**experiment), fates, restarts).play(20)
    assert not any(actor.ended for actor in network.actors.values())
    for (_, lane, tick), step in network.received().items():
        for agent in range(3 if tick else 0):
            done = network.env.scripted(agent, tick - 1, lane).action
            assert (step.actions[:, agent] == done).all()


@settings(max_examples=40, deadline=None)
@given(EXPERIMENTS, st.lists(FATES, max_size=300), st.lists(st.booleans(), max_size=12))
def test_games_and_timesteps_depend_only_on_the_acts(make_env, experiment, fates, restarts):
    calm = Network(make_env(**experiment), [], []).play(20).received()
    rough = Network(make_env(**experiment), fates, restarts).play(20).received()
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
def test_followers_receive_their_leaders_actions_of_the_same_step(make_env, roles, fates, restarts):
    env = make_env(influence="basic", roles=roles)
    network = Network(env, fates, restarts).play(20)
    leaders = [agent for agent in range(3) if roles[agent] == "influencer"]
    for (agent, lane, tick), step in network.received().items():
        if roles[agent] != "influencee":
            assert step.leader_actions is None
            continue
        for place, leader in enumerate(leaders):
            assert (step.leader_actions[:, place] == env.scripted(leader, tick, lane).action).all()
