"""How pure the tables of a data run are: the class guessed from one cue alone, by pixels, and how alike pairs are."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..images import decode, jpeg
from ..images.failures import attempt
from ..images.header import contents, opened
from ..images.table import briefly
from ..workbook import seeds
from . import cues

COMPARED = 100  # pairs whose pixels are compared
AXES = "joint, its axes"  # the set in which a cue is asked for the axis of a joint fake, not for its class


def measure(tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame | None = None) -> tuple[dict, pd.DataFrame]:
    """Audit tables of a data run by name (those of images.sets.build): (scalars for the manifest, a small table).

    The table has one row per set and cue (cues.CONTAINER, and the pixel probe of the semantic and the pixel set): the
    cross-validated AUROC of guessing the label from that cue alone. About .5 is what a pure set shows, NaN stands for
    too few images. The probe on the pixel set is there to show that it can see. Every subset of `test` and `joint` is a
    set, too, and so is AXES. `left_out` (set, path, reason) adds counts by reason.
    """
    measured = {name: cues.container(rows) for name, rows in _sets(tables).items()}
    for name in ("semantic", "pixel"):
        if name in tables:
            measured[name][cues.PROBE] = cues.pixel_probe(tables[name])
    rows = [(name, cue, area) for name, areas in measured.items() for cue, area in areas.items()]
    table = pd.DataFrame(rows, columns=["set", "cue", "auroc"])
    scalars = {f"{row.set}: {row.cue} auroc": row.auroc for row in table.itertuples() if row.set in tables}
    scalars |= {f"{name}: images": len(rows[rows["reason"] == ""]) for name, rows in tables.items()}
    scalars |= pair_identity(tables["pixel"]) if "pixel" in tables else {}
    return scalars | _unusable(tables, left_out), table


def kept(run, tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame) -> tuple[dict, pd.DataFrame]:
    """`measure`, computed once in a run and kept in its audit.json."""
    found = run.compute("audit.json", _measured, tables, left_out)
    return found["figures"], pd.DataFrame(found["cues"]).astype({"auroc": "float64"})


def _measured(tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame) -> dict:
    figures, table = measure(tables, left_out)
    return {"figures": figures, "cues": table.to_dict("records")}


def _sets(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables, every subset of the test and of the joint table by itself, and AXES."""
    usable = {name: rows[rows["reason"] == ""] for name, rows in tables.items()}
    parts = {name: usable[name].groupby("subset") for name in ("test", "joint") if name in usable}
    subsets = {f"{name}/{subset}": rows for name, part in parts.items() for subset, rows in part}
    return usable | subsets | ({AXES: _by_axis(usable["joint"])} if "joint" in usable else {})


def _by_axis(rows: pd.DataFrame) -> pd.DataFrame:
    """The fakes of a single axis, labelled by which it is: semantic 0, pixel 1."""
    rows = rows[rows["axis"].isin(("semantic", "pixel"))]
    return rows.assign(label=(rows["axis"] == "pixel").astype("int64"))


def pair_identity(rows: pd.DataFrame, compared: int = COMPARED) -> dict[str, float]:
    """How alike the members of pairs are: shares with both members and of equal format, quality, size and
    quantisation tables (1.0 is right), and the PSNR between them in dB (identical content, worn by the
    autoencoder).
    """
    pairs = {pair: members.sort_values("label") for pair, members in rows.groupby("pair_id")}
    whole = [members for members in pairs.values() if list(members["label"]) == [0, 1]]
    same = pd.DataFrame([_same(members) for members in whole], columns=["format", "quality", "size"])
    chosen = [pairs[pair] for pair in seeds.ranked(pairs, "audit") if len(pairs[pair]) == 2][:compared]
    compared = [
        each
        for each in Parallel(2, prefer="threads")(delayed(attempt)(_compared, pair) for pair in chosen)
        if not isinstance(each, Exception)
    ]
    looked = pd.DataFrame(compared, columns=["tables", "psnr"])
    shares = {f"pixel: pairs of equal {name}": float(same[name].mean()) for name in same}
    return {
        "pixel: pairs complete": len(whole) / max(1, len(pairs)),
        **shares,
        "pixel: pairs of equal tables": float(looked["tables"].mean()),
        "pixel: psnr median": float(looked["psnr"].median()),
        "pixel: psnr least": float(looked["psnr"].min()),
    }


def _same(members: pd.DataFrame) -> tuple[bool, bool, bool]:
    real, fake = members.to_dict("records")
    quality = (
        real["jpeg_quality"] == fake["jpeg_quality"] or np.isnan([real["jpeg_quality"], fake["jpeg_quality"]]).all()
    )
    size = (real["width"], real["height"]) == (fake["width"], fake["height"])
    return real["format"] == fake["format"], bool(quality), size


def _compared(members: pd.DataFrame) -> tuple[bool, float]:
    (tables, rgb), (others, again) = (_tables_and_pixels(path) for path in members["path"])
    if rgb.shape != again.shape:
        return tables == others, float("nan")
    error = np.mean((rgb.astype(np.float32) - again) ** 2)
    return tables == others, float(10 * np.log10(255**2 / max(error, 1e-6)))


def _tables_and_pixels(path: str) -> tuple[list, np.ndarray]:
    data = contents(path)
    with opened(data) as image:
        tables = [*jpeg.component_tables(image), image.layer] if hasattr(image, "layer") else []
    return tables, decode.read(data).rgb


def _unusable(tables: Mapping[str, pd.DataFrame], left_out: pd.DataFrame | None) -> dict[str, int]:
    kept = [rows.loc[rows["reason"] != "", ["reason"]].assign(set=name) for name, rows in tables.items()]
    every = pd.concat([*kept, left_out if left_out is not None else pd.DataFrame(columns=["set", "reason"])])
    counts = every.assign(short=briefly(every["reason"])).groupby(["set", "short"]).size()
    return {f"{name}: unusable, {reason}": int(count) for (name, reason), count in counts.items()}
