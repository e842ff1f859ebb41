"""The pixel set: photographs and their reconstructions, in pairs alike in format, quality and size."""

import pandas as pd

from aligngemini.core import seeds
from aligngemini.core.params import Refused

from . import reconstruct, scene_images, sources
from .params import WORLD, DataParams


def make(run, cfg: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of training and validation, and files with the reason why they were left out."""
    parts, listed = _photographs(run, cfg)
    photographs = pd.concat([rows.assign(split=split) for split, rows in parts.items()], ignore_index=True)
    made = [_pairs(run, cfg, rows, place) for place, rows in photographs.groupby(_shares(cfg, photographs))]
    pairs, failed = (pd.concat(parts, ignore_index=True) for parts in zip(*made, strict=True))
    if pairs.empty:
        raise Refused(f"None of the photographs under {cfg.photos} can be read: {failed['reason'].iloc[0]}.")
    return pairs.assign(reason=""), pd.concat([listed, failed])


def _photographs(run, cfg: DataParams) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The photographs of training and validation, and all files that are listed."""
    counts = sources.counts(cfg, cfg.pixel_pairs)
    if cfg.photos != WORLD:
        parts, listed = divided(run, cfg)
        return {split: parts[split] for split in counts}, listed
    limits = scene_images.seen(cfg)
    parts = {s: scene_images.images(run, cfg, s, "pixel", n, limits, (False,)) for s, n in counts.items()}
    return parts, pd.DataFrame(columns=["path", "reason"])


def _shares(cfg: DataParams, photographs: pd.DataFrame) -> pd.Series:
    """For each photograph the place of its autoencoder in `vae`, then `more_vaes`: equal shares of each split."""
    order = photographs["image_id"].map(lambda name: seeds.rank(name, cfg.seed, "vae")).groupby(photographs["split"])
    return (order.rank() - 1).astype(int) % (1 + len(cfg.more_vaes))


def _pairs(run, cfg: DataParams, photographs: pd.DataFrame, place: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    name, revision = (cfg.more_vaes[place - 1], "") if place else (cfg.vae, cfg.vae_revision)
    which = f"pixel_{place}" if place else "pixel"
    return reconstruct.run_pairs(run, cfg, photographs, which, name, revision, form=cfg.pair_format)


def divided(run, cfg: DataParams) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The photographs of each split, and all that are listed."""
    listed = sources.listed(run, cfg, "photos")
    usable = listed[listed["reason"] == ""].assign(source=listed["benchmark"], subset="pixel")
    counts = sources.counts(cfg, cfg.pixel_pairs).values()
    return sources.divide(usable, *counts, "photos", cfg.joint_images), listed
