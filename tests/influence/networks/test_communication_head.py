"""What an agent says, and what it hears: the head, its gradients, and times."""

import pytest
import torch
from torch import Tensor

CLOSE = {"rtol": 0, "atol": 1e-5}
SYMBOLS, AGENT = 6, 1
SHARED = ("conv.", "policy.torso.", "policy.lstm.")
HEARING = {"influence": "communication", "symbols": SYMBOLS}
MODELLING = {"influence": "moa", "symbols": SYMBOLS}


@pytest.fixture
def speaker(make_network, make_shape, make_segment):
    network = make_network(**HEARING, visible_actions=False)
    return network, make_segment(network, make_shape())


def unrolled(network, segment):
    known = segment.pixels, segment.is_first, segment.actions, segment.state
    return network.unroll(*known, segment.symbols)


def test_the_head_is_a_linear_embedding_and_two_linear_layers_on_it(make_network):
    head = make_network(**HEARING).policy.communication
    h = torch.randn(3, 17)
    embedded = h @ head.embedding.weight.t() + head.embedding.bias
    logits, value = head(h)
    assert embedded.shape == (3, 8)
    torch.testing.assert_close(logits, embedded @ head.logits.weight.t() + head.logits.bias)
    torch.testing.assert_close(value, (embedded @ head.value.weight.t() + head.value.bias)[:, 0])


@pytest.mark.parametrize("symbols", [0, SYMBOLS])
def test_there_is_a_head_where_symbols_are_said(make_network, symbols):
    network = make_network(influence="off", symbols=symbols)
    assert (network.policy.communication is not None) == bool(symbols)
    named = [name for name in network.state_dict() if "communication" in name]
    assert len(named) == (6 if symbols else 0)


def test_what_is_remembered_does_not_grow_with_symbols(make_network):
    sizes = {make_network(**MODELLING | {"symbols": v}).state_size for v in (0, 2, 9)}
    assert sizes == {2 * 17 + 2 * 19}


@pytest.mark.parametrize("head", ["symbol_logits", "symbol_values"])
def test_what_the_head_learns_reaches_all_that_it_shares_with_the_policy(speaker, head):
    network, segment = speaker
    (getattr(unrolled(network, segment), head) ** 2).sum().backward()
    own = "logits" if head == "symbol_logits" else "value"
    learns = (*SHARED, "policy.communication.embedding.", f"policy.communication.{own}.")
    for name, parameter in network.named_parameters():
        learnt = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert learnt == name.startswith(learns), name


def changed(before: Tensor | None, after: Tensor | None) -> list[list[bool]]:
    """[T, B] where anything is different."""
    different = (before - after).abs() > 1e-4
    return different.flatten(2).any(-1).tolist()


@pytest.mark.parametrize("speaker_of_it", [0, 2, 3])
def test_what_others_say_is_heard_in_the_step_after_and_not_across_an_episode_s_start(
    speaker, speaker_of_it
):
    network, segment = speaker
    before = unrolled(network, segment)
    said_at = 3
    segment.symbols[said_at + 1, :, speaker_of_it] += 1
    segment.symbols.remainder_(SYMBOLS)
    after = unrolled(network, segment)
    for name in ("policy_logits", "symbol_logits"):
        at = changed(getattr(before, name), getattr(after, name))
        assert not any(any(games) for games in at[: said_at + 1])
        starts = segment.is_first[said_at + 1].tolist()
        assert at[said_at + 1] == [not start for start in starts]
        assert any(starts)


def test_one_does_not_hear_oneself(speaker):
    network, segment = speaker
    before = unrolled(network, segment)
    segment.symbols[:, :, AGENT] = (segment.symbols[:, :, AGENT] + 1) % SYMBOLS
    after = unrolled(network, segment)
    for one, other in zip(before, after, strict=True):
        assert one is other is None or torch.equal(one, other)


def test_a_state_starts_from_zero_and_so_does_what_was_heard(speaker):
    """At an episode's start the step is that of a policy that has no ears at all."""
    network, segment = speaker
    memory = network.split_state(segment.state).policy
    features = network.features(segment.pixels[0]).policy
    everywhere = torch.ones(5, dtype=torch.bool)

    def step():
        said = segment.symbols[0]
        return network.policy_step(
            features, segment.actions[0], everywhere, memory, symbols_tm1=said
        )

    hearing = step()
    with torch.no_grad():
        network.policy.lstm.weight_ih_l0[:, 13:] = 0  # the columns that symbols enter by
    assert torch.equal(hearing.logits, step().logits)


@pytest.mark.parametrize("teller", range(4))
def test_a_model_of_others_is_told_what_everyone_says_in_the_same_step(
    make_network, make_shape, make_segment, teller
):
    network = make_network(**MODELLING)
    segment = make_segment(network, make_shape())
    before = unrolled(network, segment)
    said_at = 4
    segment.symbols[said_at + 1, :, teller] += 1
    segment.symbols.remainder_(SYMBOLS)
    at = changed(before.moa_logits, unrolled(network, segment).moa_logits)
    assert not any(any(games) for games in at[:said_at])
    assert all(at[said_at])


@pytest.mark.parametrize("agent", [0, 1, 3])
def test_counterfactual_symbols_are_those_of_brute_force(
    make_network, make_shape, make_segment, agent
):
    shape = make_shape(agent)
    network = make_network(shape, influence="moa_communication", symbols=SYMBOLS)
    segment = make_segment(network, shape)
    features = network.features(segment.pixels[0]).moa.detach()
    actions, said, is_first = segment.actions[1], segment.symbols[1], segment.is_first[0]
    state, model = network.split_state(segment.state).moa, network.moa
    answer = model.counterfactuals(features, actions, is_first, state, None, said)
    for tilde in range(SYMBOLS):
        instead = said.clone()
        instead[:, agent] = tilde
        alone = model.step(features, actions, is_first, state, instead)
        torch.testing.assert_close(answer.logits[:, tilde], alone.logits, **CLOSE)
    lived = model.step(features, actions, is_first, state, said)
    torch.testing.assert_close(answer.state, lived.state, **CLOSE)
    assert answer.logits.shape[1] == SYMBOLS
    assert answer.logits.std(1).max() > 0.01  # else no symbol would make a difference


def test_a_model_told_symbols_still_imagines_actions_where_influence_is_of_actions(
    make_network, make_shape, make_segment
):
    network = make_network(**MODELLING)
    segment = make_segment(network, make_shape())
    features = network.features(segment.pixels[0]).moa.detach()
    said, is_first = segment.symbols[1], segment.is_first[0]
    state = network.split_state(segment.state).moa
    answer = network.moa.counterfactuals(features, segment.actions[1], is_first, state, None, said)
    for tilde in range(7):
        instead = segment.actions[1].clone()
        instead[:, AGENT] = tilde
        alone = network.moa.step(features, instead, is_first, state, said)
        torch.testing.assert_close(answer.logits[:, tilde], alone.logits, **CLOSE)


def test_a_model_that_hears_must_be_told_what_was_said(make_network):
    network = make_network(**MODELLING)
    state = network.split_state(network.initial_state(1)).moa
    known = torch.zeros(1, 13), torch.zeros(1, 4).long(), torch.tensor([False]), state
    with pytest.raises(ValueError, match="symbols: this experiment needs it, found None"):
        network.moa.step(*known)
