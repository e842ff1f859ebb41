"""What the small vision tower learns first: to see everything that a scene's description holds, before any word."""

from collections.abc import Callable

import torch

from aligngemini.world.kinds import KINDS, PLACES
from aligngemini.world.scenes import HOURS, WEATHER, Scene, Thing

COLOURS = tuple(sorted({c for kind in KINDS.values() for c in kind.colours + kind.wrong_colours}))
WEATHERS = tuple(sorted({weather for kinds in WEATHER.values() for weather in kinds}))
SIDES = ("left", "right", "none")
UNSEEN = -100  # an attribute that this scene does not have, ignored by the loss


def _kind(thing: Thing) -> int:
    return tuple(KINDS).index(thing.kind)


# The number of classes of each attribute, and the class of a scene: UNSEEN where it has no such thing.
ATTRIBUTES: dict[str, tuple[int, Callable[[Scene], int]]] = {
    "kind": (len(KINDS), lambda scene: _kind(scene.things[0])),
    "colour": (len(COLOURS), lambda scene: COLOURS.index(scene.things[0].colour)),
    "count": (7, lambda scene: scene.things[0].count if KINDS[scene.things[0].kind].repeat else UNSEEN),
    "moved": (2, lambda scene: int(scene.things[0].part_moved)),
    "upright": (2, lambda scene: int(scene.things[0].upright)),
    "lifted": (2, lambda scene: int(scene.things[0].lift > 0)),
    "place": (len(PLACES), lambda scene: PLACES.index(scene.place)),
    "hour": (len(HOURS), lambda scene: HOURS.index(scene.hour)),
    "weather": (len(WEATHERS), lambda scene: WEATHERS.index(scene.weather)),
    "sun": (2, lambda scene: UNSEEN if scene.second_sun else SIDES.index(scene.sun)),
    "second_sun": (2, lambda scene: int(scene.second_sun)),
    "shadow": (3, lambda scene: SIDES.index("none" if scene.place == "lake" else scene.shadow)),
    "reflection": (2, lambda scene: int(scene.reflection) if scene.place == "lake" else UNSEEN),
    "sign": (7, lambda scene: scene.sign),
    "balloons": (7, lambda scene: scene.balloons),
    "things": (4, lambda scene: len(scene.things)),
    "beside": (len(KINDS), lambda scene: _kind(scene.things[1]) if scene.things[1:] else UNSEEN),
    "larger": (2, lambda scene: int(scene.things[0].height > scene.things[1].height) if scene.things[1:] else UNSEEN),
}
CLASSES = {name: number for name, (number, _) in ATTRIBUTES.items()}


def attributes(scene: Scene) -> list[int]:
    """The class of each of ATTRIBUTES, in order."""
    return [of(scene) for _, of in ATTRIBUTES.values()]


class Eyes(torch.nn.Module):
    """A Qwen2.5-VL vision tower under one small attention reader for each attribute; the readers are thrown away.

    Logits are float [n, attributes, most classes]; those beyond an attribute's classes are -inf.
    """

    def __init__(self, tower: torch.nn.Module, width: int, heads: int = 4):
        super().__init__()
        self.tower = tower
        most = max(CLASSES.values())
        self.asks = torch.nn.Parameter(torch.randn(len(CLASSES), width) * 0.02)
        self.reader = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        self.answers = torch.nn.Parameter(torch.randn(len(CLASSES), width, most) * width**-0.5)
        beyond = torch.arange(most) >= torch.tensor(list(CLASSES.values()))[:, None]
        self.register_buffer("beyond", beyond, persistent=False)

    def forward(self, pixel_values: torch.Tensor, image_grid_thw: torch.Tensor) -> torch.Tensor:
        """Logits for patches [patches, d] of n pictures of one size, grid [n, 3]."""
        seen = self.tower(pixel_values, grid_thw=image_grid_thw).pooler_output
        seen = seen.view(len(image_grid_thw), -1, seen.shape[-1])
        read, _ = self.reader(self.asks.expand(len(seen), -1, -1), seen, seen, need_weights=False)
        return torch.einsum("nad,adc->nac", read, self.answers).masked_fill(self.beyond, float("-inf"))


def loss(eyes: Eyes, batch: dict) -> torch.Tensor:
    """Cross entropy, averaged over the attributes that each picture has."""
    logits = eyes(batch["pixel_values"], batch["image_grid_thw"])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=UNSEEN)


@torch.inference_mode()
def accuracy(eyes: Eyes, batches: list[dict]) -> dict[str, float]:
    """Share of right classes for each attribute over the pictures that have it."""
    eyes.eval()
    guess = torch.cat([eyes(b["pixel_values"], b["image_grid_thw"]).argmax(-1) for b in batches])
    truth = torch.cat([b["labels"] for b in batches])
    there = truth != UNSEEN
    right = ((guess == truth) & there).sum(0) / there.sum(0)
    return {name: round(float(share), 3) for name, share in zip(CLASSES, right, strict=True)}
