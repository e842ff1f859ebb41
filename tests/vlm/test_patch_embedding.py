"""The patch embedding as a matrix product: the same numbers, the same weights."""

import torch
from torch import nn

from aligngemini.vlm import patch_embedding

KERNEL = (2, 14, 14)


def both() -> tuple[nn.Module, nn.Module]:
    """Torch's layer and ours, with the same weights."""
    torch.manual_seed(0)
    plain, ours = (nn.Sequential(nn.Conv3d(3, 32, KERNEL, KERNEL)) for _ in range(2))
    ours.load_state_dict(plain.state_dict())
    patch_embedding.make(ours)
    return plain, ours


def test_patches_give_what_the_convolution_gives_with_gradients():
    plain, ours = both()
    patches = torch.randn(50, 3, *KERNEL)
    torch.testing.assert_close(ours(patches), plain(patches), rtol=1e-5, atol=1e-5)
    for each in (plain, ours):
        each(patches).square().mean().backward()
    torch.testing.assert_close(ours[0].weight.grad, plain[0].weight.grad, rtol=1e-4, atol=1e-6)


def test_whole_images_are_convolved_as_ever_and_weights_keep_their_names():
    plain, ours = both()
    images = torch.randn(2, 3, 4, 28, 42)
    assert torch.equal(ours(images), plain(images)) and ours(images).shape == (2, 32, 2, 2, 3)
    assert ours.state_dict().keys() == plain.state_dict().keys()


def test_a_convolution_that_pads_stays_what_it_is():
    model = nn.Sequential(nn.Conv3d(3, 4, 3, padding="same"))
    patch_embedding.make(model)
    assert type(model[0]) is nn.Conv3d
