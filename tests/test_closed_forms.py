"""Formulas against sums, samples, and torch.distributions."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats
from scipy.optimize import approx_fprime
from torch import distributions as reference

from agent import distributions
from agent.behavior import lambda_return
from agent.distributions import OneHot, TruncatedNormal
from agent.optim import Optimiser
from agent.toggles.entropy import ActorOnly, LongTerm
from agent.toggles.explore import ActionNoise, PolicyEntropy
from agent.toggles.kl import Balanced, Standard
from agent.toggles.latent import Binary, Categorical, Gaussian
from tests import tiny

LATENTS = {"categorical": Categorical(3, 4), "gaussian": Gaussian(3, 0.1), "binary": Binary(12)}
SAMPLES = 40_000


def distribution(latent, stats):
    """The same distribution by torch.distributions."""
    if isinstance(latent, Categorical):
        logits = stats.unflatten(-1, (latent.latents, latent.classes))
        return reference.Independent(reference.OneHotCategorical(logits=logits), 1)
    if isinstance(latent, Gaussian):
        mean, std = stats.chunk(2, -1)
        std = 2 * torch.sigmoid(std / 2) + latent.min_std
        return reference.Independent(reference.Normal(mean, std), 1)
    return reference.Independent(reference.Bernoulli(logits=stats), 1)


@pytest.fixture(params=LATENTS)
def latent(request):
    torch.manual_seed(0)
    return LATENTS[request.param]


def test_kl_entropy_and_samples_against_torch_distributions(latent):
    left, right = torch.randn(2, 50, latent.stats_size)
    ours, theirs = distribution(latent, left), distribution(latent, right)
    torch.testing.assert_close(latent.kl(left, right), reference.kl_divergence(ours, theirs))
    torch.testing.assert_close(latent.entropy(left), ours.entropy())
    noise = latent.noise((SAMPLES,), left.device)
    sample = latent.sample(left[0].expand(SAMPLES, -1), noise)
    assert sample.shape == (SAMPLES, latent.stoch_size)
    mean = distribution(latent, left[0]).mean.flatten()
    assert (sample.mean(0) - mean).abs().max() < 5 * sample.std(0).max() / SAMPLES**0.5


@pytest.mark.parametrize("kind", ["categorical", "binary"])
def test_straight_through_gradients_are_those_of_the_probabilities(kind):
    latent, weight = LATENTS[kind], torch.randn(12)
    stats = torch.randn(5, latent.stats_size, requires_grad=True)
    sample = latent.sample(stats, latent.noise((5,), stats.device))
    assert set(sample.detach().unique().tolist()) <= {0.0, 1.0}
    (gradient,) = torch.autograd.grad((sample * weight).sum(), stats, create_graph=True)
    probs = distribution(latent, stats).mean.flatten(1)
    (expected,) = torch.autograd.grad((probs * weight).sum(), stats, create_graph=True)
    torch.testing.assert_close(gradient, expected)
    second = [torch.autograd.grad(first.square().sum(), stats)[0] for first in (gradient, expected)]
    torch.testing.assert_close(*second)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.8])
def test_balanced_kl_has_the_value_of_the_plain_kl_and_shares_its_gradient(latent, alpha):
    post, prior = torch.randn(2, 3, 4, latent.stats_size).requires_grad_()
    plain = Standard(free=0.0, clamp="step")(latent, post, prior)
    balanced = Balanced(alpha=alpha, free=0.0, clamp="step")(latent, post, prior)
    torch.testing.assert_close(balanced.loss, plain.loss)
    for side, share in ((post, 1 - alpha), (prior, alpha)):
        ours = torch.autograd.grad(balanced.loss.sum(), side, retain_graph=True)[0]
        whole = torch.autograd.grad(plain.loss.sum(), side, retain_graph=True)[0]
        torch.testing.assert_close(ours, share * whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("clamp, share", [("step", 0.5), ("mean", 0.0)])
@pytest.mark.parametrize("kl", [Standard, partial(Balanced, alpha=0.8)])
def test_free_nats_are_kept_without_a_gradient_and_counted(kl, clamp, share):
    latent, prior = LATENTS["gaussian"], torch.zeros(2, 1, 6)
    post = prior.clone()
    post[1, 0, 0] = 3.0
    post.requires_grad_()
    value = latent.kl(post, prior).detach()
    free = float(value.max()) / 3
    found = kl(free=free, clamp=clamp)(latent, post, prior)
    expected = value.clamp(min=free) if clamp == "step" else value.mean()
    torch.testing.assert_close(found.loss.detach(), expected)
    assert found.clamped == share
    (gradient,) = torch.autograd.grad(found.loss.sum(), post)
    assert gradient[0].abs().sum() == 0 and gradient[1].abs().sum() > 0
    above = kl(free=100.0, clamp=clamp)(latent, post, prior)
    assert (above.loss == 100).all() and above.clamped == 1
    assert torch.autograd.grad(above.loss.sum(), post)[0].abs().sum() == 0


def test_lambda_return_against_the_sum_over_n_step_returns():
    """(1 - lambda) sum_n lambda^{n-1} G_n + lambda^{H-1} G_H, computed in O(H^2)."""
    rng, horizon, lambda_ = np.random.default_rng(0), 6, 0.9
    reward, value, discount = rng.uniform(size=(3, horizon))
    values = [*value, 0.7]

    def n_step(t, n):  # rewards, and the value after them, from the last to the first
        total = values[t + n]
        for step in reversed(range(t, t + n)):
            total = reward[step] + discount[step] * total
        return total

    expected = []
    for t in range(horizon):
        last = horizon - t
        total = sum((1 - lambda_) * lambda_ ** (n - 1) * n_step(t, n) for n in range(1, last))
        expected.append(total + lambda_ ** (last - 1) * n_step(t, last))
    last = torch.tensor(values[-1], dtype=torch.float64)
    ours = lambda_return(*map(torch.tensor, (reward, value, discount)), last, lambda_)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-12)


def test_long_term_entropy_counts_in_every_state():
    reward, entropy = torch.zeros(3, 2), torch.tensor([[5.0, 5.0], [1.0, 2.0], [3.0, 4.0]])
    bonus = LongTerm().reward(reward, lambda: entropy, 0.1)
    torch.testing.assert_close(bonus, torch.tensor([[0.5, 0.5], [0.1, 0.2], [0.3, 0.4]]))
    assert ActorOnly().reward(reward, lambda: entropy, 0.1) is reward


def test_truncated_normal_against_scipy():
    torch.manual_seed(0)
    mean, std = torch.rand(2, 7, dtype=torch.float64)
    mean, std = mean * 1.9 - 0.95, std * 2 + 0.1
    policy = TruncatedNormal(mean[:, None], std[:, None])
    low, high = (-1 - mean) / std, (1 - mean) / std
    theirs = scipy_stats.truncnorm(low, high, mean, std)
    np.testing.assert_allclose(policy.entropy(), theirs.entropy(), rtol=1e-6, atol=1e-8)
    action = torch.linspace(-0.9, 0.9, 7, dtype=torch.float64)
    np.testing.assert_allclose(policy.log_prob(action[:, None]), theirs.logpdf(action), rtol=1e-6)
    noise = torch.rand(SAMPLES, 1, dtype=torch.float64)
    many = TruncatedNormal(mean[:1].expand(SAMPLES, 1), std[:1].expand(SAMPLES, 1)).sample(noise)
    assert many.abs().max() < 1
    first = scipy_stats.truncnorm(low[0], high[0], mean[0], std[0])
    assert scipy_stats.kstest(many.numpy()[:, 0], first.cdf).pvalue > 1e-3


def test_truncated_normal_samples_are_differentiable_in_mean_and_std():
    """The gradient of the mean of many samples is that of the distribution's mean."""
    torch.manual_seed(0)
    at = torch.tensor([0.4, 0.6], requires_grad=True)
    mean, std = at.expand(SAMPLES, 2).split(1, -1)
    sampled = TruncatedNormal(mean, std).sample(torch.rand(SAMPLES, 1)).mean()

    def exact(point):
        m, s = point
        return scipy_stats.truncnorm((-1 - m) / s, (1 - m) / s, m, s).mean()

    (gradient,) = torch.autograd.grad(sampled, at)
    np.testing.assert_allclose(gradient, approx_fprime([0.4, 0.6], exact, 1e-6), rtol=0, atol=0.02)
    edge = TruncatedNormal(at, at / 50).sample(torch.zeros(2)).sum()  # noise may be 0
    assert torch.autograd.grad(edge, at)[0].isfinite().all()


def test_one_hot_against_torch_distributions():
    logits = torch.randn(6, 5)
    action = distributions.one_hot_mode(torch.randn(6, 5))
    theirs = reference.OneHotCategorical(logits=logits)
    torch.testing.assert_close(OneHot(logits).log_prob(action), theirs.log_prob(action))
    torch.testing.assert_close(OneHot(logits).entropy(), theirs.entropy())


def test_policy_entropy_leaves_actions_alone_and_noise_does_not():
    torch.manual_seed(0)
    discrete, continuous = tiny.agent().actor, tiny.agent(actions=tiny.CONTINUOUS).actor
    one_hot = torch.eye(5)[torch.zeros(SAMPLES, dtype=int)]
    assert PolicyEntropy(1e-3).collect(one_hot, discrete, 0.0) is one_hot
    noise = ActionNoise(epsilon_start=0.4, epsilon_end=0.1, epsilon_share=0.1, std=0.3)
    for progress, epsilon in ((0.0, 0.4), (0.05, 0.25), (0.1, 0.1), (1.0, 0.1)):
        moved = (noise.collect(one_hot, discrete, progress)[:, 0] == 0).float().mean()
        assert abs(moved - epsilon * 4 / 5) < 0.015
    action = torch.zeros(SAMPLES, 2)
    assert abs(noise.collect(action, continuous, 0.0).std() - 0.3) < 0.01
    assert noise.collect(action + 1, continuous, 0.0).max() <= 1


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS], ids=str)
def test_noise_is_never_added_in_evaluation(actions):
    """Even with all of it, evaluating plays the policy's mode and leaves training's random numbers
    alone."""
    noise = [f"explore.{number}" for number in ("epsilon_start=1", "epsilon_end=1", "std=9")]
    noise = ["explore=action_noise", *noise]
    obs, first = np.zeros((64, 4), np.float32), np.ones(64, bool)
    noisy, quiet = tiny.agent(*noise, actions=actions), tiny.agent(actions=actions)

    def play(agent, evaluate):
        generator = torch.Generator().manual_seed(0)
        return agent.act(obs, agent.initial(64), first, evaluate, 0.0, generator)[0]

    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(play(noisy, True), play(quiet, True))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not np.array_equal(play(noisy, False), play(noisy, True))


def test_the_optimiser_is_torch_s_clipping_and_fused_adam():
    """With Keras's eps, which is left out of the bias correction; PyTorch may change what its
    underscores name."""
    starts = torch.randn(7), torch.randn(3, 5)
    ours, theirs = ([torch.nn.Parameter(start.clone()) for start in starts] for _ in range(2))
    optimiser = Optimiser(ours, lr=0.1, eps=1e-5, weight_decay=0.01, clip=1.0)
    reference = torch.optim.Adam(theirs, lr=0.05, fused=True)
    for update in range(1, 4):
        optimiser.begin()
        norm = optimiser.step(sum((p - 1).square().sum() for p in ours), torch.tensor(0.5))
        reference.param_groups[0]["eps"] = 1e-5 / math.sqrt(1 - 0.999**update)
        reference.zero_grad()
        sum((p - 1).square().sum() for p in theirs).backward()
        assert norm == torch.nn.utils.clip_grad_norm_(theirs, 1.0) > 1
        with torch.no_grad():
            for parameter in theirs:
                parameter *= 1 - 0.01
        reference.step()
        for our, their in zip(ours, theirs, strict=True):
            torch.testing.assert_close(our, their, rtol=1e-6, atol=1e-7)
