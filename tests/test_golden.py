"""Agreement with the official implementation; every sample is replaced by its mode, so no random
numbers are shared."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from agent import behavior, distributions
from agent.build import build
from agent.distributions import TruncatedNormal
from agent.toggles.kl import Balanced, Standard
from agent.toggles.latent import Categorical, Gaussian
from tests import golden, tiny

FILES = {
    "baseline": [],
    "latent_gaussian": ["latent=gaussian"],
    "gradients_no_image": ["gradients=no_image"],
    # the last has two exceptions from its preset
    "control": ["preset=dreamer_v2_control", "recipe.kl_scale=0.1", "recipe.discount=0.999"],
}
METRICS = {"observation_loss": "image_loss"}
METRICS |= {f"{loss}_loss": f"{loss}_loss" for loss in ("kl", "reward", "discount")}
for part in ("model", "actor", "critic"):
    METRICS |= {f"{part}_{what}": f"{part}_{what}" for what in ("loss", "grad_norm")}
METRICS |= {"kl": "model_kl", "prior_entropy": "prior_ent", "post_entropy": "post_ent"}
METRICS |= {"imagined_reward": "reward_mean", "slow_value": "critic_slow"}
METRICS |= {"target": "critic_target", "actor_entropy": "actor_ent"}


def one_hot_of_mode(logits, noise):
    return distributions.straight_through(distributions.one_hot_mode(logits), logits.softmax(-1))


def zeros(latent, shape, device, generator=None):
    return torch.zeros(*shape, latent.latents, device=device)


@pytest.fixture(params=FILES)
def official(request, monkeypatch):
    """An agent with the official weights, the file's arrays, and its batch."""
    monkeypatch.setattr(distributions, "one_hot", one_hot_of_mode)
    monkeypatch.setattr(Gaussian, "noise", zeros)
    monkeypatch.setattr(TruncatedNormal, "sample", lambda policy, noise: policy.mode())
    torch.set_float32_matmul_precision("highest")
    arrays = golden.load(request.param)
    cfg = tiny.compose(*FILES[request.param], numbers=golden.ATARI)
    actions = Box(-1, 1, (5,), np.float32) if request.param == "control" else Discrete(5)
    agent = build(cfg, tiny.IMAGE, actions, torch.device("cpu"))
    moments = {"_extra_state": agent.get_extra_state()}
    agent.load_state_dict(golden.tensors(arrays, "init") | moments)  # every parameter, and no other
    return agent, arrays, golden.batch(arrays)


def close(ours, theirs, absolute=1e-6):
    theirs = torch.as_tensor(theirs, dtype=ours.dtype)
    ours = ours.detach().reshape(theirs.shape)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=absolute)


def close_in_norm(ours, theirs):
    """For gradients, which are sums of many terms of either sign."""
    assert ours.shape == theirs.shape
    assert (ours - theirs).norm() <= 1e-3 * theirs.norm() + 1e-8


def stats_of(latent, arrays, key):
    """The product's flat statistics from the official ones."""
    if isinstance(latent, Categorical):
        return torch.as_tensor(arrays[f"{key}logit"]).flatten(-2)
    mean, std = (torch.as_tensor(arrays[f"{key}{name}"]) for name in ("mean", "std"))
    return torch.cat([mean, 2 * torch.logit((std - latent.min_std) / 2)], -1)


def model_loss(agent, batch):
    toggles = agent.toggles
    return agent.model.loss(batch, toggles.kl, agent.recipe.kl_scale, toggles.gradients)


def test_golden_forward(official):
    agent, arrays, batch = official
    model = agent.model
    obs = model.encoder.prepare(batch["obs"])
    embed = model.encoder(obs)
    post = model.rssm.observe(embed, batch["action"], batch["is_first"])
    prior = model.rssm.prior(post.deter)
    close(embed, arrays["out/embed"])
    close(post.deter, arrays["out/post/deter"])
    close(post.stoch, arrays["out/post/stoch"])
    close(post.feat, arrays["out/feat"])
    latent = model.rssm.latent
    close(post.stats, stats_of(latent, arrays, "out/post/"), absolute=1e-5)
    close(prior, stats_of(latent, arrays, "out/prior/"), absolute=1e-5)
    sample = latent.sample(prior, latent.noise(prior.shape[:-1], prior.device))
    close(sample, arrays["out/prior/stoch"])
    close(model.heads["observation"](post.feat), arrays["out/decoder_mean"])
    close(model.heads["reward"](post.feat), arrays["out/reward_mean"])
    if "discount" in model.heads:
        close(model.heads["discount"](post.feat), arrays["out/discount_mean"])
    # the file holds the forward KL
    close(latent.kl(prior, post.stats), arrays["kl/value"], absolute=2e-6)


def test_golden_model_losses_and_gradients(official):
    agent, arrays, batch = official
    output = model_loss(agent, batch)
    close(output.loss, arrays["out/model_loss"])
    output.loss.backward()
    theirs = golden.tensors(arrays, "grad")
    for name, parameter in agent.model.named_parameters():
        close_in_norm(parameter.grad, theirs[f"model.{name}"])


def test_golden_imagination_behavior_losses_and_gradients(official):
    agent, arrays, batch = official
    post = model_loss(agent, batch).post
    start, ended = post.apply(lambda x: x.flatten(0, 1)), batch["is_terminal"].flatten()
    rollout = behavior.imagine(agent.model, agent.actor, start, ended, agent.recipe.horizon)
    for name in ("feat", "action", "reward"):
        close(getattr(rollout, name), arrays[f"imag/{name}"], absolute=1e-5)
    close(rollout.discount, arrays["imag/discount"])
    close(rollout.weight, arrays["imag/weight"])
    target, _ = behavior.target(
        rollout, agent.actor, agent.slow_critic, agent.recipe.lambda_, agent.toggles.entropy, 0.0
    )
    close(target, arrays["imag/target"])
    theirs = golden.tensors(arrays, "grad")
    losses = agent.behavior_losses(post, batch["is_terminal"])[:2]
    for prefix, loss in zip(("actor", "critic"), losses, strict=True):
        module = getattr(agent, prefix)
        close(loss, arrays[f"imag/{prefix}_loss"])
        loss.backward(inputs=list(module.parameters()))
        for name, parameter in module.named_parameters():
            close_in_norm(parameter.grad, theirs[f"{prefix}.{name}"])


def test_golden_first_step_metrics(official):
    agent, arrays, batch = official
    metrics = agent.update(batch, progress=0.0)
    present = {ours for ours, theirs in METRICS.items() if f"met/0/{theirs}" in arrays}
    assert present == metrics.keys() & METRICS.keys()
    for name in present:
        absolute = 1e-6 if name.endswith("_loss") else 1e-5
        close(metrics[name], arrays[f"met/0/{METRICS[name]}"], absolute=absolute)


def test_golden_weights_after_three_steps(official, monkeypatch):
    agent, arrays, batch = official
    rates = {name: getattr(agent.recipe, f"{name}_lr") for name in ("model", "actor", "critic")}
    rates["slow_critic"] = rates["critic"]
    for step in range(3):
        agent.begin(0.0)
        post, _ = agent.learn_model(batch)
        agent.learn_behavior(post, batch["is_terminal"])
        agent.update_slow_critic()
        last = post.apply(lambda tensor: tensor[:, -1])  # where the official next step starts
        monkeypatch.setattr(agent.model.rssm, "initial", lambda _, last=last: last)
        theirs = golden.tensors(arrays, f"post{step}")
        for name, parameter in agent.named_parameters():
            off = (parameter - theirs[name]).abs().max().item() / rates[name.split(".")[0]]
            assert off < 0.1, f"{name} is off by {off:.3f} learning rates after step {step}"


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
@pytest.mark.parametrize("free", [0.0, 1.5])
@pytest.mark.parametrize("balance, mean", [(0.5, 0), (0.8, 0), (0.8, 1)])
def test_golden_kl(kind, free, balance, mean):
    """A balance of 0.5 is the official code's plain KL, clamped step by step."""
    arrays = golden.load("kl")
    latent = {"categorical": Categorical(4, 5), "gaussian": Gaussian(4, 0.1)}[kind]
    parts = {"categorical": ["logit"], "gaussian": ["mean", "std"]}[kind]
    names = [f"{side}_{part}" for side in ("post", "prior") for part in parts]
    official = {name: torch.tensor(arrays[f"{kind}/{name}"], requires_grad=True) for name in names}
    post, prior = (stats_of(latent, official, f"{side}_") for side in ("post", "prior"))
    plain = Standard(free=free, clamp="step")
    balanced = Balanced(alpha=balance, free=free, clamp="mean" if mean else "step")
    loss = plain if balance == 0.5 else balanced
    result = loss(latent, post, prior)
    close(result.value, arrays[f"{kind}/value"])
    key = f"{kind}/balance{balance}_free{free}_avg{mean}"
    result.loss.mean().backward()
    close(result.loss.mean(), arrays[f"{key}/loss"])
    for name, stats in official.items():
        close_in_norm(stats.grad, torch.from_numpy(arrays[f"{key}/grad_{name}"]))
