"""When the VLM says why, is it true? Measured on images of the small world, where the truth is known, and on fakes of
X-AIGD, in which people outlined the artifacts.

The question is that of FakeReasoning and INSIGHT; the measure is ours.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from aligngemini.core import reading
from aligngemini.core.progress import progress
from aligngemini.images import decode
from aligngemini.images.header import Unreadable
from aligngemini.vlm import load, preference_pairs, verdict
from aligngemini.vlm.branch import VLMBranch
from aligngemini.vlm.reason_check import FALSE, NONE, OTHER, TRUE, family, outcome

from .evidence import outlines

CATEGORIES = reading.beside(__file__)  # of X-AIGD, with the words of an explanation that concern them


def explained(branch, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the world (image table, with `remark` and `twin`, see `sample`) with what a VLM says of them.

    Further columns: said (its own words after its verdict at 0.5), outcome, and prefers (whether the true sentence is
    more likely after the true verdict than the twin's, which is false here).
    """
    views = [branch.prepare(decode.read(path).rgb) for path in rows.path]
    said = branch.explain(views, branch.p_fake(views) > 0.5)
    outcomes = [outcome(words, truth) for words, truth in zip(said, rows.remark, strict=True)]
    asked = zip(views, rows.label, rows.remark, rows.twin, strict=True)
    prefers = [_likelihood(branch.vlm, view, label, true) > _likelihood(branch.vlm, view, label, false)
               for view, label, true, false in asked]  # fmt: skip
    return rows.assign(said=said, outcome=outcomes, prefers=prefers)


@torch.inference_mode()
def _likelihood(vlm, view, label: int, words: str) -> float:
    """Mean log-likelihood per token, in nats, of a sentence after the verdict `label` on one image."""
    opening, whole = (verdict.tokens(vlm, preference_pairs.answer(label, text)) for text in ("", words))
    batch = verdict.continued(verdict.prompts(vlm, [view]), whole[:-1])
    count = len(whole) - len(opening)
    logits = vlm.model(**batch, logits_to_keep=count).logits[0].float()
    wanted = torch.tensor(whole[-count:], device=logits.device)
    return -torch.nn.functional.cross_entropy(logits, wanted).item()


def of_run(run, rows: pd.DataFrame, trained: bool = True) -> pd.DataFrame:
    """`explained` by the VLM of a run of notebook 02, or by its base before training."""
    facts = VLMBranch.facts(run)
    branch = VLMBranch.load(facts, run.path("adapter")) if trained else VLMBranch(load.load(**facts), facts)
    return explained(branch, rows)


def sample(test: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` twins each of plausible and violated images of the world, with `twin`, the other one's remark."""
    rows = test[(test.reason == "") & (test.pair_id != "") & (test.remark.map(family) != "")]
    rows = rows.drop_duplicates(["pair_id", "label"])
    both = rows.merge(rows[["pair_id", "label", "remark"]], on="pair_id", suffixes=("", "_twin"))
    both = both[both.label != both.label_twin].rename(columns={"remark_twin": "twin"})
    return both.drop(columns="label_twin").sort_values("pair_id", kind="stable").head(2 * count).reset_index(drop=True)


def table(found: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Shares of outcomes by model (its title) and truth, one row each; n is the number of images. Half of the images
    would prefer the true sentence by chance.
    """
    rows = []
    for title, each in found:
        for label, part in each.groupby("label"):
            shares = part.outcome.value_counts(normalize=True).reindex([TRUE, FALSE, OTHER, NONE], fill_value=0.0)
            rows.append({"model": title, "image": ("plausible", "violated")[label], "n": len(part)} | shares.to_dict())
            rows[-1]["prefers the true one"] = part.prefers.mean()
    return pd.DataFrame(rows)


def on_labels(branch, images: pd.DataFrame) -> pd.DataFrame:
    """What a VLM says of fakes of X-AIGD (column path), and whether people outlined artifacts of that category there.

    Columns: path, said (its words after the verdict "fake"), named (categories that they concern), outlined, hit (share
    of `named` that is outlined), chance (share of all images in which these are outlined) and reason. NaN with a reason
    where nothing is named, or the picture cannot be used. See `evidence.summary`.
    """
    rows = [_heard(branch, path) for path in progress(list(images.path), "explaining artifacts")]
    table = pd.DataFrame(rows, columns=["path", "said", "named", "outlined", "reason"])
    seen = table.outlined[table.outlined.map(len) > 0]
    often = {name: seen.map(lambda names, name=name: name in names).mean() for name in CATEGORIES}
    both = zip(table.named, table.outlined, strict=True)
    hits = [np.mean([name in seen for name in named]) if named else np.nan for named, seen in both]
    chance = [np.mean([often[name] for name in named]) if named else np.nan for named in table.named]
    return table.assign(hit=hits, chance=chance)


def _heard(branch, path: str) -> tuple[str, str, list[str], list[str], str]:
    try:
        outlined, view = sorted(outlines(path)), branch.prepare(decode.read(path).rgb)
    except Unreadable as error:
        return path, "", [], [], str(error)
    said = branch.explain([view], [True])[0]
    named = [name for name, words in CATEGORIES.items() if re.search(rf"\b({words})\b", said.lower())]
    return path, said, named, outlined, "" if named else "its words concern no category"
