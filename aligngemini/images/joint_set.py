"""The joint validation set: fakes of every axis beside reals, undegraded, to fit on what joins several branches.

Its subsets are those of the test's first benchmark: wrong in meaning (semantic), in pixels (pixel), in both. In the
small world, they are made like that benchmark, of scenes of a split of their own. From folders, the reals are
photographs and plausible images; the fakes are implausible images, reconstructions of the photographs, and
reconstructions of the implausible images. Our choice: each file is first cut to its centre square, resized to
`image_size`, and saved as JPEG with a quality sampled as for the camera of the small world; reconstructions are made of
that. So neither format nor size nor quality tells the axes apart, and whole scenes are seen. The grain of a shrunken
photograph is finer than in the pixel set.
"""

import pandas as pd

from aligngemini.core.progress import say

from . import image_files, pixel_set, reconstruct, scene_images, semantic_set, sources, table
from .params import WORLD, DataParams

NAME = "joint"  # of its split, its benchmark, and the folder of its images


def make(run, cfg: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The image table, and images with a reason where they were left out.

    It takes files that training and validation leave; where the parameters give no folder, scenes of the world. All
    subsets are equally large, as large as the rarest role (of sources.ROLES) allows.
    """
    squares = _squares(run, cfg)
    usable = squares[squares["reason"] == ""]
    count = _count(cfg, usable["role"])
    if not count:
        return table.frame([]), squares
    scenes, hidden = _scenes(run, cfg, count)
    images = {role: rows.head(count) for role, rows in usable.groupby("role")} | scenes
    originals = pd.concat([images[role].assign(role=role) for role in ("photos", "implausible")])
    pairs, failed = reconstruct.run_pairs(run, cfg, originals, NAME, cfg.vae, cfg.vae_revision)
    rows = [part.assign(split=NAME, benchmark=NAME, subset=subset) for subset, part in _subsets(images, pairs).items()]
    return pd.concat(rows).assign(reason=""), pd.concat([squares, hidden, failed])


def _squares(run, cfg: DataParams) -> pd.DataFrame:
    sets = {"plausible": semantic_set, "photos": pixel_set} if cfg.joint_images else {}
    files = [part.divided(run, cfg)[0]["joint"] for role, part in sets.items() if getattr(cfg, role) != WORLD]
    items = pd.concat(files).to_dict("records") if files else []
    fixed = {"folder": str(run.path("images", NAME)), "cfg": cfg, "split": NAME, "degraded": False}
    label = "joint validation pictures"
    rows = image_files.in_parallel(image_files.square_of_file, items, cfg.workers, label, **fixed)
    squares = pd.DataFrame(rows, columns=None if rows else ["path", "role", "image_id", "reason"])
    twice = (squares["reason"] == "") & squares.duplicated("image_id")  # files that differed in metadata alone
    return squares.assign(reason=squares["reason"].mask(twice, "same picture as another file"))


def _count(cfg: DataParams, roles: pd.Series) -> int:
    """Images of each role that the set can have; a line is printed where that is less than cfg.joint_images."""
    have = {role: int((roles == role).sum()) for role in sources.ROLES if getattr(cfg, role) != WORLD}
    scarce = min(have, key=have.get, default="")
    count = min(cfg.joint_images, have.get(scarce, cfg.joint_images))
    if count < cfg.joint_images:
        size = f"{count} instead of {cfg.joint_images} images per class and subset" if count else "empty"
        say(
            f"the joint validation set is {size}: {scarce} has {count} usable images left after training and"
            " validation. Give more images, or lower train_images or pixel_pairs."
        )
    return count


def _scenes(run, cfg: DataParams, count: int) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    roles = [role for role in sources.ROLES if getattr(cfg, role) == WORLD]
    if not roles:
        return {}, table.frame([])
    sides = (False, True) if "implausible" in roles else (False,)
    rows = scene_images.images(run, cfg, NAME, NAME, count, scene_images.seen(cfg), sides)
    rows, hidden = scene_images.different(rows)
    return {role: rows[rows["label"] == int(role == "implausible")] for role in roles}, hidden


def _subsets(images: dict[str, pd.DataFrame], pairs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    plausible, implausible, photos = (images[role] for role in sources.ROLES)
    again = pairs[(pairs["role"] == "implausible") & (pairs["label"] == 1)].assign(axis="both")
    violations = again["pair_id"].map(implausible.set_index("pair_id")["remark"]) if "remark" in implausible else ""
    return {
        "semantic": pd.concat([plausible, implausible]),
        "pixel": pairs[pairs["role"] == "photos"],
        "both": pd.concat([photos.iloc[::2], plausible.iloc[1::2], again.assign(remark=violations)]),
    }
