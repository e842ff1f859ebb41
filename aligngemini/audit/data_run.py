"""The audit of a data run's tables: the class guessed from one cue alone and by pixels, how alike pairs are, and how
strong the degradation must be.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from aligngemini.core import seeds
from aligngemini.images import decode, degrade
from aligngemini.images.feed import Item
from aligngemini.images.table import briefly
from aligngemini.scores.cv_auroc import UNKNOWN, Auroc, logreg_cv_auroc

from . import cues, pixel_statistics

COMPARED = 100  # pairs whose pixels are compared
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the degradation, behind which probes look
AXES = "joint, its axes"  # the set in which a cue is asked for the axis of a joint fake, not for its class


def once_per_run(
    run, tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame, network: bool = False
) -> tuple[dict, pd.DataFrame]:
    """`measure`, computed once in a run and saved as its audit.json."""
    found = run.compute("audit.json", _measured, tables, left_out, network)
    return found["figures"], pd.DataFrame(found["cues"]).astype(dict.fromkeys(Auroc._fields, "float64"))


def _measured(tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame, network: bool) -> dict:
    figures, table = measure(tables, left_out, network)
    return {"figures": figures, "cues": table.to_dict("records")}


def measure(
    tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame | None = None, network: bool = False
) -> tuple[dict, pd.DataFrame]:
    """Audit tables of a data run by name (those of images.sets.build): (figures for the manifest, a table of cues).

    The table has one row (set, cue, auroc, low, high) per set and cue (cues.TABLE_CUES, and the pixel probe of the
    semantic and the pixel set, with `network` the pixel network, too): the cross-validated AUROC of guessing the label
    from that cue alone, with the ends of its 95 % interval. About .5 is what a pure set shows, NaN stands for too few
    images. The probe on the pixel set is there to show that it can see. Every subset of `test` and `joint` is a set,
    too, and so is AXES. `left_out` (set, path, reason) adds counts by reason.
    """
    measured = {name: cues.single_feature_auroc(rows, cues.TABLE_CUES) for name, rows in _sets(tables).items()}
    for name in {"semantic", "pixel"} & tables.keys():
        measured[name][cues.PROBE] = cues.pixel_probe(tables[name])
        if network:
            from . import pixel_network  # brings torch, which takes seconds

            measured[name][cues.NETWORK] = pixel_network.probe(tables[name])
    rows = [(name, cue, *found) for name, areas in measured.items() for cue, found in areas.items()]
    table = pd.DataFrame(rows, columns=["set", "cue", *Auroc._fields])
    figures = {f"{row.set}: {row.cue} auroc": row.auroc for row in table[table["set"].isin(tables)].itertuples()}
    figures |= {f"{name}: images": int((rows["reason"] == "").sum()) for name, rows in tables.items()}
    figures |= pair_identity(tables["pixel"]) if "pixel" in tables else {}
    return figures | _unusable(tables, left_out), table


def _sets(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    sets = {name: rows[rows["reason"] == ""] for name, rows in tables.items()}
    for name in ("test", "joint"):
        if name in sets:
            sets |= {f"{name}/{subset}": rows for subset, rows in sets[name].groupby("subset")}
    if "joint" in sets:  # the fakes of a single axis, labelled by which it is: semantic 0, pixel 1
        fakes = sets["joint"][sets["joint"]["axis"].isin(("semantic", "pixel"))]
        sets[AXES] = fakes.assign(label=(fakes["axis"] == "pixel").astype("int64"))
    return sets


def pair_identity(rows: pd.DataFrame) -> dict[str, float]:
    """How alike the members of pairs are: shares with both members and of equal format, quality and size (1.0 is
    right), and the median PSNR in dB between a sample of them (identical content, reconstructed by the autoencoder).
    """
    rows = rows.fillna({"jpeg_quality": 0})  # of other formats, which are equal in it
    reals, fakes = (rows[rows["label"] == label] for label in (0, 1))
    pairs = reals.merge(fakes, on="pair_id", suffixes=("", "_fake")).set_index("pair_id")
    same = {name: pairs[name] == pairs[f"{name}_fake"] for name in ("format", "jpeg_quality", "width", "height")}
    sample = pairs.loc[seeds.ranked(pairs.index, "audit")[:COMPARED], ["path", "path_fake"]]
    return {
        "pixel: pairs complete": len(pairs) / max(1, rows["pair_id"].nunique()),
        "pixel: pairs of equal format": float(same["format"].mean()),
        "pixel: pairs of equal quality": float(same["jpeg_quality"].mean()),
        "pixel: pairs of equal size": float((same["width"] & same["height"]).mean()),
        "pixel: psnr median": float(pd.Series([_psnr(*paths) for paths in sample.to_numpy()], dtype=float).median()),
    }


def _psnr(*paths: str) -> float:
    one, other = (decode.read(path).rgb.astype(np.float32) for path in paths)
    return 10 * np.log10(255**2 / max(np.mean((one - other) ** 2), 1e-6)) if one.shape == other.shape else float("nan")


def _unusable(tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame | None) -> dict[str, int]:
    rows = [rows.loc[rows["reason"] != "", ["reason"]].assign(set=name) for name, rows in tables.items()]
    rows = pd.concat([*rows, left_out])
    counts = rows.groupby(["set", briefly(rows["reason"])]).size()
    return {f"{name}: unusable, {reason}": int(count) for (name, reason), count in counts.items()}


def strength(
    rows: pd.DataFrame, ranges: Mapping[str, Sequence[float]], seed: int, workers: int = 1, network: bool = False
) -> pd.DataFrame:
    """AUROC of the pixel probe on pairs behind each share of the degradation `ranges`, one row for each share: columns
    share, the middles of the four ranges, auroc, low and high, and with `network` the same of the pixel network.

    Share 0 is the images as they are, share 1 the whole chain. Each image draws its own values, as in the semantic
    set.
    """
    ladder = [degrade.weaker(ranges, share) for share in SHARES]
    seen, sample = cues.described(rows, partial(_seen, ladder, seed, network), "probing degraded pictures", workers)
    table = pd.DataFrame([{name: np.mean(pair) for name, pair in rung.items()} for rung in ladder])[list(degrade.DRAWN)]
    table.insert(0, "share", SHARES)
    areas = []
    for step in range(len(ladder)):
        statistics, crops = [each[step][0] for each in seen], [each[step][1] for each in seen]
        areas.append((logreg_cv_auroc(np.array(statistics), sample) if seen else UNKNOWN)._asdict())
        if network:
            from . import pixel_network

            area = pixel_network.auroc(statistics, crops, sample) if seen else UNKNOWN
            areas[-1] |= {f"network_{name}": value for name, value in area._asdict().items()}
    return pd.concat([table, pd.DataFrame(areas)], axis=1)


def _seen(ladder: Sequence[dict], seed: int, network: bool, item: Item, rgb: np.ndarray) -> list[tuple]:
    """Pixel statistics of uint8 [H, W, 3] behind each rung of the ladder, and what the network sees of it."""
    key = f"strength/{item.name}"
    rest = [degrade.degrade(rgb, degrade.draw(rung, degrade.generator(seed, key))) for rung in ladder[1:]]
    describe = pixel_statistics.describe
    return [(describe(each), pixel_statistics.crop(each) if network else None) for each in (rgb, *rest)]
