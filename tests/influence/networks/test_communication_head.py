"""Communication: the head, its gradients, and when symbols reach the policy and the MOA."""

import pytest
import torch
from torch import Tensor

CLOSE = {"rtol": 0, "atol": 1e-5}
SYMBOLS, AGENT = 6, 1
SHARED = ("conv.", "policy.torso.", "policy.lstm.")
COMMUNICATION = {"influence": "communication", "symbols": SYMBOLS}
MOA = {"influence": "moa", "symbols": SYMBOLS}


@pytest.fixture
def agent(make_network, make_shape, make_segment):
    network = make_network(**COMMUNICATION, visible_actions=False)
    return network, make_segment(network, make_shape())


def unrolled(network, segment):
    known = segment.pixels, segment.is_first, segment.actions, segment.state
    return network.unroll(*known, segment.symbols)


def test_the_head_is_a_linear_embedding_and_two_linear_layers_on_it(make_network):
    head = make_network(**COMMUNICATION).policy.communication
    h = torch.randn(3, 17)
    embedded = h @ head.embedding.weight.t() + head.embedding.bias
    logits, value = head(h)
    assert embedded.shape == (3, 8)
    torch.testing.assert_close(logits, embedded @ head.logits.weight.t() + head.logits.bias)
    torch.testing.assert_close(value, (embedded @ head.value.weight.t() + head.value.bias)[:, 0])


@pytest.mark.parametrize("symbols", [0, SYMBOLS])
def test_there_is_a_head_if_and_only_if_there_are_symbols(make_network, symbols):
    network = make_network(influence="off", symbols=symbols)
    assert (network.policy.communication is not None) == bool(symbols)
    named = [name for name in network.state_dict() if "communication" in name]
    assert len(named) == (6 if symbols else 0)


def test_the_state_size_does_not_depend_on_the_number_of_symbols(make_network):
    sizes = {make_network(**MOA | {"symbols": v}).state_size for v in (0, 2, 9)}
    assert sizes == {2 * 17 + 2 * 19}


@pytest.mark.parametrize("head", ["symbol_logits", "symbol_values"])
def test_the_head_s_loss_trains_all_layers_that_it_shares_with_the_policy(agent, head):
    network, segment = agent
    (getattr(unrolled(network, segment), head) ** 2).sum().backward()
    own = "logits" if head == "symbol_logits" else "value"
    learns = (*SHARED, "policy.communication.embedding.", f"policy.communication.{own}.")
    for name, parameter in network.named_parameters():
        is_trained = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert is_trained == name.startswith(learns), name


def changed(before: Tensor | None, after: Tensor | None) -> list[list[bool]]:
    """[T, B] where the two differ."""
    different = (before - after).abs() > 1e-4
    return different.flatten(2).any(-1).tolist()


@pytest.mark.parametrize("sender", [0, 2, 3])
def test_symbols_reach_the_policy_in_the_next_step_and_not_across_an_episode_s_start(agent, sender):
    network, segment = agent
    before = unrolled(network, segment)
    t = 3
    segment.symbols[t + 1, :, sender] += 1
    segment.symbols.remainder_(SYMBOLS)
    after = unrolled(network, segment)
    for name in ("policy_logits", "symbol_logits"):
        differs = changed(getattr(before, name), getattr(after, name))
        assert not any(any(games) for games in differs[: t + 1])
        starts = segment.is_first[t + 1].tolist()
        assert differs[t + 1] == [not start for start in starts]
        assert any(starts)


def test_the_policy_s_inputs_do_not_include_its_own_symbols(agent):
    network, segment = agent
    before = unrolled(network, segment)
    segment.symbols[:, :, AGENT] = (segment.symbols[:, :, AGENT] + 1) % SYMBOLS
    after = unrolled(network, segment)
    for one, other in zip(before, after, strict=True):
        assert one is other is None or torch.equal(one, other)


def test_at_an_episode_s_start_all_symbol_inputs_are_zero(agent):
    """The step equals that of a policy without columns for symbols."""
    network, segment = agent
    state = network.split_state(segment.state).policy
    features = network.features(segment.pixels[0]).policy
    everywhere = torch.ones(5, dtype=torch.bool)

    def step():
        symbols = segment.symbols[0]
        return network.policy_step(
            features, segment.actions[0], everywhere, state, symbols_tm1=symbols
        )

    before = step()
    with torch.no_grad():
        network.policy.lstm.weight_ih_l0[:, 13:] = 0  # the columns of the symbol inputs
    assert torch.equal(before.logits, step().logits)


@pytest.mark.parametrize("sender", range(4))
def test_the_moa_s_inputs_include_all_symbols_of_the_same_step(
    make_network, make_shape, make_segment, sender
):
    network = make_network(**MOA)
    segment = make_segment(network, make_shape())
    before = unrolled(network, segment)
    t = 4
    segment.symbols[t + 1, :, sender] += 1
    segment.symbols.remainder_(SYMBOLS)
    differs = changed(before.moa_logits, unrolled(network, segment).moa_logits)
    assert not any(any(games) for games in differs[:t])
    assert all(differs[t])


@pytest.mark.parametrize("agent", [0, 1, 3])
def test_counterfactual_symbols_equal_those_of_brute_force(
    make_network, make_shape, make_segment, agent
):
    shape = make_shape(agent)
    network = make_network(shape, influence="moa_communication", symbols=SYMBOLS)
    segment = make_segment(network, shape)
    features = network.features(segment.pixels[0]).moa.detach()
    actions, symbols, is_first = segment.actions[1], segment.symbols[1], segment.is_first[0]
    state, model = network.split_state(segment.state).moa, network.moa
    answer = model.counterfactuals(features, actions, is_first, state, None, symbols)
    for tilde in range(SYMBOLS):
        replaced = symbols.clone()
        replaced[:, agent] = tilde
        alone = model.step(features, actions, is_first, state, replaced)
        torch.testing.assert_close(answer.logits[:, tilde], alone.logits, **CLOSE)
    real = model.step(features, actions, is_first, state, symbols)
    torch.testing.assert_close(answer.state, real.state, **CLOSE)
    assert answer.logits.shape[1] == SYMBOLS
    assert answer.logits.std(1).max() > 0.01  # the symbols make a difference


def test_a_moa_with_symbols_still_replaces_actions_if_influence_is_of_actions(
    make_network, make_shape, make_segment
):
    network = make_network(**MOA)
    segment = make_segment(network, make_shape())
    features = network.features(segment.pixels[0]).moa.detach()
    symbols, is_first = segment.symbols[1], segment.is_first[0]
    state = network.split_state(segment.state).moa
    known = features, segment.actions[1], is_first, state, None, symbols
    answer = network.moa.counterfactuals(*known)
    for tilde in range(7):
        replaced = segment.actions[1].clone()
        replaced[:, AGENT] = tilde
        alone = network.moa.step(features, replaced, is_first, state, symbols)
        torch.testing.assert_close(answer.logits[:, tilde], alone.logits, **CLOSE)


def test_a_moa_with_symbols_needs_them(make_network):
    network = make_network(**MOA)
    state = network.split_state(network.initial_state(1)).moa
    known = torch.zeros(1, 13), torch.zeros(1, 4).long(), torch.tensor([False]), state
    with pytest.raises(ValueError, match="symbols: this experiment needs it, found None"):
        network.moa.step(*known)
