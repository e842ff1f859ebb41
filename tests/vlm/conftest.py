"""Eight pictures of the small world, with remarks and twins, and the mini base."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from aligngemini.mini import bases
from aligngemini.vlm import load
from aligngemini.world import world


def drawn(folder: Path) -> pd.DataFrame:
    """Image-table rows of four pairs, in `folder`."""
    rows = []
    for index in range(4):
        for violated in (False, True):
            picture = world.draw(0, "dpo", index, violated)
            path = folder / f"{index}{violated}.png"
            Image.fromarray(picture.rgb).save(path)
            row = {"image_id": path.stem, "path": str(path), "label": int(violated)}
            rows.append(row | {"pair_id": str(index), "remark": picture.remark})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> pd.DataFrame:
    return drawn(tmp_path_factory.mktemp("twins"))


@pytest.fixture(scope="module")
def vlm() -> load.VLM:
    return load.load(str(bases.FOLDERS["vlm"]), max_pixels=12544)
