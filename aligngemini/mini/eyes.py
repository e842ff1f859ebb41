"""What the small vision tower learns first: to see everything that a scene's description holds, before any word."""

import torch

from aligngemini.world.kinds import KINDS, PLACES
from aligngemini.world.scenes import HOURS, WEATHER, Scene

COLOURS = tuple(sorted({c for kind in KINDS.values() for c in kind.colours + kind.wrong_colours}))
WEATHERS = tuple(sorted({weather for kinds in WEATHER.values() for weather in kinds}))
SIDES = ("left", "right", "none")
CLASSES = {
    "kind": len(KINDS),
    "colour": len(COLOURS),
    "count": 7,
    "moved": 2,
    "upright": 2,
    "lifted": 2,
    "place": len(PLACES),
    "hour": len(HOURS),
    "weather": len(WEATHERS),
    "sun": 2,
    "second_sun": 2,
    "shadow": 3,
    "reflection": 2,
    "sign": 7,
    "balloons": 7,
    "things": 4,
    "beside": len(KINDS),
    "larger": 2,
}
UNSEEN = -100  # an attribute that this scene does not have, ignored by the loss


def attributes(scene: Scene) -> list[int]:
    """The class of each entry of CLASSES, in order; UNSEEN where the scene has no such thing."""
    first, *rest = scene.things
    has = KINDS[first.kind]
    return [
        tuple(KINDS).index(first.kind),
        COLOURS.index(first.colour),
        first.count if has.repeat else UNSEEN,
        int(first.part_moved),
        int(first.upright),
        int(first.lift > 0),
        PLACES.index(scene.place),
        HOURS.index(scene.hour),
        WEATHERS.index(scene.weather),
        UNSEEN if scene.second_sun else SIDES.index(scene.sun),
        int(scene.second_sun),
        SIDES.index("none" if scene.place == "lake" else scene.shadow),
        int(scene.reflection) if scene.place == "lake" else UNSEEN,
        scene.sign,
        scene.balloons,
        len(scene.things),
        tuple(KINDS).index(rest[0].kind) if rest else UNSEEN,
        int(first.height > rest[0].height) if rest else UNSEEN,
    ]


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
