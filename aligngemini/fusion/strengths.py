"""One image of each kind behind more and more of the degradation: what every branch still says of them."""

from functools import lru_cache

import pandas as pd

from aligngemini.branches import registry, scoring
from aligngemini.branches.branch import Branch
from aligngemini.fusion import description
from aligngemini.images import decode, degrade
from aligngemini.images.feed import Item, batched

SHARES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the whole chain; pixel evidence goes early
BATCH_SIZE = 8
KINDS = {"none": "a real image", "pixel": "a pixel fake", "semantic": "a semantic fake", "both": "a fake of both kinds"}
OTHER = "another image"
COLUMNS = ["example", "path", "share", "branch", "score", "reason", "title", "threshold"]


@lru_cache(maxsize=1)
def branches(run) -> list[Branch]:
    """The branches of a run of notebook 04 that has its detector.json, loaded once. Raises Refused."""
    return description.of_run(run, description.read(run.folder))


def examples(fused: pd.DataFrame) -> pd.DataFrame:
    """One image of each of KINDS in a fused test table, the first that it judges rightly if there is one, with the
    column `example`; of images of an unknown kind one, too.
    """
    right = (fused.verdict == fused.label).fillna(False)
    rows = fused.assign(example=fused.axis.map(KINDS).fillna(OTHER), wrong=~right)
    first = rows.sort_values("wrong", kind="stable").drop_duplicates("example").drop(columns="wrong")
    return first.sort_values("example", key=lambda names: names.map([*KINDS.values(), OTHER].index))


def measure(run, fused: pd.DataFrame) -> pd.DataFrame:
    """The scores of `examples` behind each of SHARES of the degradation of the run's data, a row for each branch.

    Columns: COLUMNS; the score is NaN where the branch cannot say. Without `degrade_examples` there are no rows.
    """
    if not run.params["degrade_examples"]:
        return pd.DataFrame(columns=COLUMNS)
    loaded = branches(run)  # here, since threads make the images
    chain, chosen = degrade.ranges(run.data.params), examples(fused)
    pictures = [(*both, share) for both in zip(chosen["example"], chosen["path"], strict=True) for share in SHARES]
    rows = []
    for part in scoring.scored(
        batched([Item(each, each) for each in pictures], BATCH_SIZE),
        lambda item, rgb: scoring.plain_looks(loaded, item._replace(source=None), rgb),
        BATCH_SIZE,
        read=lambda each: degrade.weakly(decode.read(each[1]).rgb, chain, each[2]),
    ):
        rows += [(*score.name, score.key, score.value, score.reason) for score in part]  # pyright: ignore
    table = pd.DataFrame(rows, columns=COLUMNS[:6])
    used = description.read(run.folder).fusion["thresholds"]
    thresholds = dict(zip((each.name for each in loaded), used, strict=True))
    return table.assign(
        title=table.branch.map(registry.title, na_action="ignore"), threshold=table.branch.map(thresholds)
    )
