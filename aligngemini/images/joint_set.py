"""The joint validation set: fakes of every axis beside reals, undegraded, to fit on what joins several branches.

Its subsets are those of the test's first benchmark: wrong in meaning (semantic), in pixels (pixel), in both. Where all
is drawn, they are made like that benchmark, of scenes of a split of their own. From folders, the reals are photographs
and plausible images; the fakes are implausible images, reconstructions of the photographs, and reconstructions of the
implausible images. Our choice: each file is first cut to its centre square, resized to `image_size`, and saved as JPEG
with a quality drawn as for the camera of the small world; reconstructions are made of that. So neither format nor size
nor quality tells the axes apart, and whole scenes are seen. The grain of a shrunken photograph is finer than in the
pixel set.
"""

import pandas as pd

from aligngemini.core.progress import say

from . import drawn, pictures, reconstruct, sources, table
from .sources import WORLD

NAME = "joint"  # of its split, its benchmark, and the folder of its images


def make(run, cfg, files: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """The image table, and frames of images with a reason where they were left out.

    `files` are those that training and validation leave to it, with their `role` (of sources.ROLES); what the
    parameters give no folder for is drawn. All subsets are equally large, as large as the rarest role allows.
    """
    squares = _squares(run, cfg, files)
    usable = squares[squares["reason"] == ""]
    count = _count(cfg, usable["role"])
    if not count:
        return table.frame([]), squares
    scenes, hidden = _scenes(run, cfg, count)
    images = {role: rows.head(count) for role, rows in usable.groupby("role")} | scenes
    to_rebuild = pd.concat([images[role].assign(role=role) for role in ("photos", "implausible")])
    made, failed = reconstruct.worn(run, cfg, to_rebuild, NAME, cfg.vae, cfg.vae_revision)
    rows = [part.assign(split=NAME, benchmark=NAME, subset=subset) for subset, part in _subsets(images, made).items()]
    return table.frame(pd.concat(rows).assign(reason="")), squares, hidden, failed


def _squares(run, cfg, files: pd.DataFrame) -> pd.DataFrame:
    """The files as squares of one size and format; those that cannot be used have a reason."""
    items = files.to_dict("records")
    fixed = {"folder": str(run.path("images", NAME)), "seed": cfg.seed, "split": NAME, "size": cfg.image_size}
    rows = pictures.spread(pictures.from_files, items, cfg.workers, "joint validation pictures", ranges=None, **fixed)
    made = pd.DataFrame(rows, columns=None if rows else [*files.columns])
    twice = (made["reason"] == "") & made.duplicated("image_id")  # files that differed in metadata alone
    return made.assign(reason=made["reason"].mask(twice, "same picture as another file"))


def _count(cfg, roles: pd.Series) -> int:
    """Images of each role that the set can have, which is said where it is fewer than were asked for."""
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


def _scenes(run, cfg, count: int) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The images of every role that is drawn, and the twins that look alike."""
    roles = [role for role in sources.ROLES if getattr(cfg, role) == WORLD]
    if not roles:
        return {}, table.frame([])
    sides = (False, True) if "implausible" in roles else (False,)
    shot, hidden = drawn.apart(drawn.photographs(run, cfg, NAME, NAME, count, drawn.seen(cfg), sides))
    return {role: shot[shot["label"] == int(role == "implausible")] for role in roles}, hidden


def _subsets(images: dict[str, pd.DataFrame], made: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each subset, from the images of each role and the pairs `made` of them by the autoencoder."""
    plausible, implausible, photos = (images[role] for role in sources.ROLES)
    again = made[(made["role"] == "implausible") & (made["label"] == 1)].assign(axis="both")
    violations = again["pair_id"].map(implausible.set_index("pair_id")["remark"]) if "remark" in implausible else ""
    return {
        "semantic": pd.concat([plausible, implausible]),
        "pixel": made[made["role"] == "photos"],
        "both": pd.concat([photos.iloc[::2], plausible.iloc[1::2], again.assign(remark=violations)]),
    }
