"""Whether the answer to an exercise is right: computed from the tables of the run at hand, and never printed."""

from collections.abc import Callable, Collection
from math import exp, log1p
from numbers import Real
from typing import Any

import pandas as pd
from safetensors import safe_open

from aligngemini.analysis import tables
from aligngemini.audit import cues, data_run
from aligngemini.branches import registry
from aligngemini.core import paths, saved_runs, stages
from aligngemini.core.params import Refused, shown
from aligngemini.core.saved_runs import SavedRun
from aligngemini.fusion import rules
from aligngemini.images import degrade, table

FOLDER = "exercises"  # of runs that exercises ask for, inside the outputs, where no other command looks
PROBED, HIDDEN = 200, 0.65  # images that the probe of 01-1 sees, and the AUROC below which it sees little
Judge = Callable[[SavedRun, Any], bool]


def check(name: str, answer: Any, run: SavedRun) -> None:
    """Print whether `answer` solves the exercise `name` ("04-1") for a complete run; if not, what to look at.

    Ellipsis is no answer yet. An answer of another kind, and an exercise run that is not there, are said, not raised.
    """
    if answer is ...:
        return print(f"{name}: not answered yet")
    judge, hint = EXERCISES[name]
    try:
        right = judge(run, answer)
    except Refused as refusal:
        return print(f"{name}: {refusal}")
    except KeyError as missing:
        return print(f"{name}: this run has no {missing}; the exercises are for the small world")
    print(f"{name}: right" if right else f"{name}: not right yet. Look at {hint}.")


def newest(run: SavedRun, notebook: str = "", **wanted: Any) -> SavedRun | None:
    """Return the newest exercise run of `notebook` (of that of `run`) at the scale of `run` whose parameters are, or
    hold, the values `wanted`; None if there is none.
    """
    notebook = stages.find(notebook or run.notebook).name
    for each in reversed(saved_runs.complete(notebook, paths.outputs() / FOLDER)):
        values = {name: value if isinstance(value, list) else [value] for name, value in each.params.items()}
        if each.scale == run.scale and all(value in values.get(name, ()) for name, value in wanted.items()):
            return each
    return None


def _number(truth: Callable[[SavedRun], float]) -> Judge:
    """Judge a number; two digits are enough."""

    def judge(run: SavedRun, answer: Any) -> bool:
        if not isinstance(answer, Real):
            raise Refused(f"the answer is a number, not {shown(str(answer))}")
        right = truth(run)
        return abs(answer - right) <= max(0.006, 0.005 * abs(right))

    return judge


def _name(truths: Callable[[SavedRun], Collection[str]]) -> Judge:
    return lambda run, answer: answer in list(truths(run))


def _result(name: str, notebook: str = "", **wanted: Any) -> tuple[Judge, str]:
    def truth(run: SavedRun) -> float:
        if found := newest(run, notebook, **wanted):
            return found.results[name]
        words = ", ".join(f"{name} {value}" for name, value in wanted.items())
        raise Refused(f"no run in outputs/{FOLDER} has {words}: make it with the command of the exercise")

    return _number(truth), f"{name} in the results of that run"


def _hidden(run: SavedRun, answer: Any) -> bool:
    is_range = isinstance(answer, list | tuple) and len(answer) == 2 and all(isinstance(end, Real) for end in answer)
    if not (is_range and 0 < answer[0] <= answer[1] <= 1):
        raise Refused(f"the answer is a range such as [0.4, 0.6], not {shown(str(answer))}")
    pixel = table.load(run.path("pixel.parquet"))
    sample = table.sample_whole_pairs(pixel[pixel.split == "train"], PROBED)
    ranges = degrade.ranges(run.params) | {"scale": list(answer)}
    auroc = data_run.strength(sample, ranges, run.seed).auroc.iloc[-1]
    print(f"AUROC of the probe behind the whole chain, {len(sample)} images: {auroc:.2f}")
    return auroc < HIDDEN


def _shadows(run: SavedRun) -> int:
    return table.load(run.path("semantic.parquet")).query("split == 'train' and family == 'shadow'").shape[0]


def _recoded(run: SavedRun) -> float:
    pixel = table.load(run.path("pixel.parquet"))
    median = pixel.jpeg_quality[pixel.label == 0].median()
    pixel = pixel.assign(jpeg_quality=pixel.jpeg_quality.where(pixel.label == 0, median))
    return cues.single_feature_auroc(pixel, ["JPEG quality"])["JPEG quality"].auroc


def _lora(run: SavedRun) -> int:
    with safe_open(run.path("adapter", "adapter_model.safetensors"), "numpy") as file:
        return 2 * sum(file.get_tensor(name).size for name in file.keys() if "lora_" in name)  # noqa: SIM118


def _first(run: SavedRun, name: str) -> pd.DataFrame:
    """The first benchmark of a table of a run."""
    return tables.first(pd.read_parquet(run.path(f"{name}.parquet")))


def _means(run: SavedRun, rule: bool) -> pd.DataFrame:
    """The means of the first benchmark, of rules or of single branches."""
    rows = _first(run, "rules")
    return rows[(rows.subset == "mean") & (rows.rule.isin(list(rules.RULES)) == rule)].set_index("rule")


def _cheapest(run: SavedRun) -> Collection[str]:
    means = _means(run, rule=True)
    cost = 10 * (1 - means.real_accuracy) + (1 - means.fake_accuracy)
    return cost.index[cost <= cost.min() + 1e-9]


def _moved(run: SavedRun) -> float:
    rows = _first(run, "thresholds")
    value = rows[(rows.subset == "mean") & (rows.rule == run.params["rule"])].set_index("thresholds").value
    return value["validation"] - value["published"]


def _significant(run: SavedRun) -> int:
    rows = pd.read_parquet(run.path("differences.parquet"))
    return len(rows.query("other_supervision == 'mixed' and p_holm < 0.05"))


def _best_peer(run: SavedRun) -> list[str]:
    rows = _first(run, "peers")
    auroc = rows[rows.subset == rows.subset.iloc[0]].set_index("rule").auroc
    best = list(auroc.index[auroc == auroc.max()])
    return best + [registry.title(name) for name in best]


def _best_third(run: SavedRun) -> Collection[str]:
    added = pd.read_parquet(run.path("additions.parquet"))
    return added.detector[added.gain == added.gain.max()]


EXERCISES: dict[str, tuple[Judge, str]] = {  # name -> what judges an answer, and what to look at if it is wrong
    "01-1": (_hidden, "the AUROC: lower both ends of the range until the probe sees little"),
    "01-2": (_number(_shadows), "the column family of `train`"),
    "01-3": (_number(_recoded), "what the cell prints for that quality"),
    "02-1": (_number(lambda run: log1p(exp(-10 * run.params["beta"]))), "the formula of the loss, and beta"),
    "02-2": (_number(lambda run: run.results["final_margin"] / run.params["beta"]), "the results, and beta"),
    "02-3": _result("test_pixel", supervision="pixel"),
    "02-4": _result("test_semantic", objective="sft"),
    "03-1": (_number(_lora), "the values of lora_A and lora_B above; the head does not grow"),
    "03-2": (_number(lambda run: 2 * run.results["test_semantic"] - 1), "the two accuracies in `measures`"),
    "03-3": _result("test_semantic", supervision="semantic"),
    "03-4": _result("test_pixel", mode="faithful"),
    "04-1": (_name(_cheapest), "real_accuracy and fake_accuracy of the rules (no branches) in the rows mean"),
    "04-2": (_number(_moved), "the means of the rule in `by_threshold`: validation minus published"),
    "04-3": (_number(lambda run: 1 - _means(run, rule=False).real_accuracy.prod()), "the product of real accuracies"),
    "04-4": _result("mean_majority", branch_runs="frequency"),
    "04-5": (_number(lambda run: 1 - _means(run, rule=True).real_accuracy["or_budget"]), "`sides`, right column"),
    "05-1": (_number(_significant), "p_holm in the rows of `differences` with a mixed branch"),
    "05-2": _result("test_semantic", "02", supervision="union"),
    "05-3": (_number(lambda run: 4 * _first(run, "alignment").n.iloc[0]), "how a width falls with the root of n"),
    "06-1": (_name(_best_peer), "the AUROC of the peers on the first subset"),
    "06-2": _result("auroc_rigid", peers="rigid noise=0.05"),
    "06-3": _result("mean_meaning", peers="probe train=semantic name=meaning"),
    "06-4": (_name(_best_third), "the column gain of `added`"),
}
