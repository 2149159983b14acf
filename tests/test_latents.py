"""Every option of conf/latent: its KL and entropy are those of the distribution that it samples."""

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from tests import tiny

OPTIONS = sorted(path.stem for path in (tiny.CONF / "latent").glob("*.yaml"))
ONE_VARIABLE = ["size.latents=1", "size.classes=3"]
SAMPLES, BINS = 100_000, 200
DISCRETE = 64  # distinct samples at most, if they are no numbers of a continuum


def sampled(latent, *several):
    """Shares (bins,) of samples from each stats (P,) in common bins, and the bins' widths."""
    draws = [
        latent.sample(stats.expand(SAMPLES, -1), latent.noise((SAMPLES,), stats.device)).numpy()
        for stats in several
    ]
    values, index = np.unique(np.concatenate(draws), axis=0, return_inverse=True)
    if len(values) <= DISCRETE:
        index, widths = index.reshape(len(draws), SAMPLES), np.ones(len(values))
    else:
        assert values.shape[1] == 1, "one variable has one number"
        edges = np.quantile(np.concatenate(draws), np.linspace(0, 1, BINS + 1))
        index, widths = np.digitize(draws, edges[1:-1])[..., 0], np.diff(edges)
    return [np.bincount(row, minlength=len(widths)) / SAMPLES for row in index], widths


@pytest.mark.parametrize("option", OPTIONS)
def test_kl_and_entropy_are_those_of_histograms_of_samples(option):
    latent = instantiate(tiny.compose(f"latent={option}", numbers=ONE_VARIABLE).latent)
    torch.manual_seed(0)
    for _ in range(3):
        left, right = 0.7 * torch.randn(2, latent.stats_size)
        (p, q), widths = sampled(latent, left, right)
        seen = p > 0
        entropy = -np.sum(p[seen] * np.log(p[seen] / widths[seen]))
        both = seen & (q > 0)
        divergence = np.sum(p[both] * np.log(p[both] / q[both]))
        assert latent.entropy(left) == pytest.approx(entropy, abs=0.02), "entropy"
        assert latent.kl(left, right) == pytest.approx(divergence, abs=0.02, rel=0.05), "kl"


@pytest.mark.parametrize("option", OPTIONS)
def test_shapes_signs_gradients_and_random_numbers(option):
    latent = instantiate(tiny.compose(f"latent={option}", numbers=tiny.NUMBERS).latent)
    stats, other = torch.randn(2, 3, 5, latent.stats_size).requires_grad_()
    sample = latent.sample(stats, latent.noise((3, 5), stats.device))
    assert sample.shape == (3, 5, latent.stoch_size)
    for value in (latent.kl(stats, other), latent.entropy(stats)):
        assert value.shape == (3, 5) and value.dtype == torch.float32
    assert (latent.kl(stats, other) > 0).all()
    torch.testing.assert_close(latent.kl(stats, stats), torch.zeros(3, 5))
    (gradient,) = torch.autograd.grad(sample.square().sum(), stats)
    assert gradient.abs().sum() > 0

    def draw():
        return latent.noise((4,), torch.device("cpu"), torch.Generator().manual_seed(3))

    before = torch.get_rng_state()
    assert torch.equal(draw(), draw()) and torch.equal(before, torch.get_rng_state())
