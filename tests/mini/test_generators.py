"""The autoencoder families: shapes, quantisation, their beginning, and training that goes on where it was stopped."""

import numpy as np
import pytest
import torch

from aligngemini.images import autoencoder
from aligngemini.images.patches import DECODERS, PatchAutoencoder
from aligngemini.mini import pretrain_vae
from aligngemini.mini.loop import fit
from aligngemini.mini.pretrain_vae import Adversary


@pytest.mark.parametrize("decoder", DECODERS)
def test_latents_are_eight_times_smaller_and_come_back_at_full_size(decoder):
    model = PatchAutoencoder(6, 16, 1, decoder)
    z = model.encode(torch.zeros(2, 3, 24, 40)).latent_dist.mean
    assert z.shape == (2, 6, 3, 5) and model.decode(z).sample.shape == (2, 3, 24, 40)


def test_quantised_latents_take_few_values_and_let_gradients_pass():
    model = PatchAutoencoder(6, 16, 1, levels=8)
    z = model.encode(torch.randn(4, 3, 32, 32)).latent_dist.mean
    assert len(z.detach().unique()) <= 8 and z.abs().max() <= 1
    model.decode(z).sample.square().mean().backward()
    assert model.enter.weight.grad.abs().max() > 0


def test_an_upscaler_is_given_the_picture_halved_by_area_and_is_loaded_as_any_autoencoder(tmp_path):
    x = torch.rand(2, 3, 24, 40) * 2 - 1
    model = pretrain_vae.untrained("superres", 0)
    small = model.encode(x).latent_dist
    torch.testing.assert_close(small.mean[0, 0, 0, 0], x[0, 0, :2, :2].mean())
    assert small.mean.shape == (2, 3, 12, 20) and torch.equal(small.sample(), small.mean)
    torch.testing.assert_close(model.decode(small.mean).sample[..., 0, 0], small.mean[..., 0, 0])  # as bilinear has it
    model.save_pretrained(tmp_path)
    loaded = autoencoder.load(str(tmp_path))
    assert loaded.factor == 2 and loaded.roundtrip(np.zeros((1, 31, 50, 3), np.uint8)).shape == (1, 31, 50, 3)


@pytest.mark.parametrize("family", ["transposed", "shuffle", "vq", "adversarial", "superres"])
def test_families_begin_as_a_good_linear_sketch(family):
    assert pretrain_vae.psnr(pretrain_vae.untrained(family, 0), 0, 8)["before JPEG"] > 22


def test_the_critic_learns_beside_the_autoencoder():
    torch.manual_seed(0)
    module = Adversary(PatchAutoencoder(6, 16, 1, "nearest"))
    module.loss({"x": torch.rand(2, 3, 32, 32) * 2 - 1}).backward()
    assert all(w.grad is not None and w.grad.abs().max() > 0 for w in module.critic.parameters() if w.ndim > 1)
    critic = module.critic[0].weight.grad.clone()
    module.zero_grad()
    again = module.model.decode(module.model.encode(torch.zeros(1, 3, 32, 32)).latent_dist.mean).sample
    still = {name: weight.detach() for name, weight in module.critic.named_parameters()}
    torch.func.functional_call(module.critic, still, (again,)).mean().backward()
    assert module.critic[0].weight.grad is None and critic.abs().max() > 0


def test_a_killed_and_resumed_adversarial_training_equals_an_unbroken_one(tmp_path):
    def trained(folder, *stops):
        for stop in stops:
            torch.manual_seed(0)
            module = Adversary(PatchAutoencoder(6, 16, 1, "nearest"))
            done = _fit(module, folder, stop)
        return done.state_dict()

    def _fit(module, folder, stop):
        def halted(step):
            if step >= stop:
                raise KeyboardInterrupt
            return pretrain_vae.crops(0, step)

        try:
            fit(module, halted, Adversary.loss, 6, 1e-3, folder, every=2, workers=0)
        except KeyboardInterrupt:
            assert stop < 6
        return module

    whole, broken = trained(tmp_path / "whole", 6), trained(tmp_path / "broken", 3, 6)
    assert all(torch.equal(whole[key], broken[key]) for key in whole)
