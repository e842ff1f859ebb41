"""Shared by the tests of the expert room: pairs of small scenes, a fresh expert, and one trained on them."""

import math

import pandas as pd
import pytest
import torch
from PIL import Image, ImageFilter

from aligngemini.expert import backbone, train
from aligngemini.expert.params import ExpertParams
from aligngemini.mini import bases
from aligngemini.world import world

CFG = ExpertParams(batch_pairs=4, checkpoint_steps=3, epochs=2.0, learning_rate=1e-2, abstain_on_degraded=False)


def fresh(seed: int = 0, mode: str = "fixed") -> backbone.Expert:
    torch.manual_seed(seed)
    return backbone.with_lora(backbone.load(str(bases.FOLDERS["expert"])), CFG.replace(mode=mode))


@pytest.fixture(scope="session")
def rows(tmp_path_factory) -> pd.DataFrame:
    folder, rows = tmp_path_factory.mktemp("pairs"), []
    for index in range(12):
        picture = Image.fromarray(world.draw(0, "expert", index, False).rgb)
        for label, image in enumerate((picture, picture.filter(ImageFilter.GaussianBlur(1.2)))):
            path = folder / f"{index}_{label}.png"
            image.save(path)
            names = {"image_id": path.stem, "path": str(path), "pair_id": str(index)}
            rows.append(names | {"label": label, "reason": "", "jpeg_quality": math.nan})
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def trained(rows, tmp_path_factory):
    folder, expert = tmp_path_factory.mktemp("run"), fresh()
    train.train(expert, rows, CFG, folder / "checkpoints", folder / "adapter")
    return expert, folder
