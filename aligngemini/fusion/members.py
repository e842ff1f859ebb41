"""The branches of a run of notebook 04: those that notebooks trained, and those that it makes and scores itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from aligngemini.branches import branch_runs, registry, scoring
from aligngemini.branches.branch_runs import Choice
from aligngemini.branches.score_cache import Scores
from aligngemini.core import json_file, reading
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.fusion import outside
from aligngemini.fusion.rules import RULES, Fusion
from aligngemini.images import table
from aligngemini.scores import metrics, thresholds
from aligngemini.scores import table as score_table

FACTS = "branch.json"  # an adapter in the same folder has a facts.json of its own
BATCH_SIZE = 32
UNCHOSEN = 0.5  # the threshold of a branch that has scored no validation images of both classes
NOT_FITTED = ", ".join(name for name, rule in RULES.items() if not rule.fitted)


class Member(NamedTuple):
    """A branch: its name, kind, supervision ("": not known), what its class loads it from, its run ("" for none), the
    threshold that its validation images chose, its score tables of the test and of the joint validation set, and what
    its training images were ("": not known).
    """

    name: str
    kind: str
    supervision: str
    facts: dict[str, Any]
    run: str
    threshold: float
    test: pd.DataFrame
    joint: pd.DataFrame
    trained_on: str = ""


def of(run) -> list[Member]:
    """The branches that a run of notebook 04 joins, in order. What no notebook has trained is fitted and scored here.

    Raises Refused where a branch cannot be made of what it is given, and where too few images have all scores.
    """
    choices, members = branch_runs.read(run.params[branch_runs.FIELD]), {}
    test, joint = (table.load(run.data.path(f"{each}.parquet")) for each in ("test", "joint"))
    # first those that are scored already, and files: what they lack is said before the long scoring of the others
    for each in sorted(choices, key=lambda choice: not (choice.kind.notebook or choice.kind.file)):
        members[each.name] = (
            _trained(run.inputs[each.label], each) if each.kind.notebook else own(run, each, test, joint)
        )
        check_test({name: member.test for name, member in members.items()}, test)
        advice = f"add the images of the data run's joint.parquet to {each.rest}" if each.kind.file else ""
        check_joint(run.params["rule"], {name: member.joint for name, member in members.items()}, joint, advice)
    return [members[each.name] for each in choices]


def _trained(run, choice: Choice) -> Member:
    """The branch of a run of its own, scored there."""
    test, joint = (score_table.load(run.path(name)) for name in ("scores.parquet", "joint_scores.parquet"))
    facts, place, cut = choice.kind.load().facts(run), f"{run.notebook}/{run.name}", run.results["threshold"]
    supervision, data = run.params["supervision"], run.data.params
    about = outside.trained_on(supervision, data)
    return Member(choice.name, choice.kind.name, supervision, facts, place, cut, test, joint, about)


def own(run, choice: Choice, test: pd.DataFrame, joint: pd.DataFrame) -> Member:
    """A branch without a run; its files and scores become part of this one. Its threshold is that of its class if that
    has one, else the one that the joint validation images choose.
    """
    name, kind = choice.name, choice.kind
    folder = run.compute(f"branches/{name}", fit, kind.name, choice.rest, run.data, run.checkpoints / name)
    facts = reading.json(folder / FACTS)
    branch = kind.load().load(facts, folder, name)
    if kind.file and not branch.knows(test).any():
        images = test.image_id.nunique()
        raise Refused(f"none of the {images} test images is in {choice.rest}: {branch.unlike(test)}")
    settings = (branch, choice.supervision, BATCH_SIZE, Scores(run.checkpoints / "scores"))
    scored = [
        run.compute(f"branches/{name}_{each}.parquet", scoring.table, rows, *settings)
        for each, rows in (("test", test), ("joint", joint))
    ]
    cut = getattr(branch, "threshold", None) or threshold(scored[1], joint, choice.supervision)
    about = outside.trained_on(choice.supervision, run.data.params) if choice.supervision else ""
    return Member(name, kind.name, choice.supervision, facts, "", cut, scored[0], scored[1], about)


def several(run, choices: Sequence[Choice], test: pd.DataFrame, joint: pd.DataFrame) -> list[Member]:
    """`own` of each choice, with one line of progress for all."""
    with run.silent():
        return [own(run, each, test, joint) for each in progress(choices, "making detectors and scoring images")]


def fit(kind: str, source: str, images, checkpoints: Path, out: Path) -> None:
    """Make a branch without a notebook in the folder `out`, from a complete data run and its file or options."""
    json_file.write(out / FACTS, registry.kind(kind).load().fit(source, images, out, checkpoints))


def check_test(tables: Mapping[str, pd.DataFrame], images: pd.DataFrame) -> None:
    """Raise Refused if a branch has scored no test image, or no image has the scores of all; `tables` is name -> score
    table, `images` the image table.
    """
    every = set(images.image_id)
    for who, ids in _scored(tables).items():
        if not every & ids:
            advice = "see the reasons in its score table, or leave it out of branch_runs"
            raise Refused(f"none of the {len(every)} test images has been scored by {who}: {advice}")


def check_joint(rule: str, tables: Mapping[str, pd.DataFrame], images: pd.DataFrame, advice: str = "") -> None:
    """Raise Refused if `rule` is fitted, but a branch has not scored joint validation images of both classes, or all
    together have not, although there are such; arguments as of `check_test`, `advice` says how to score more.
    """
    label = images.drop_duplicates("image_id").set_index("image_id").label
    if not RULES[rule].fitted or label.nunique() < 2:
        return
    for who, ids in _scored(tables).items():
        classes = label[label.index.isin(ids)]
        if classes.nunique() < 2:
            raise Refused(
                f"the rule {rule} is fitted on the joint validation set, but of the images scored by {who} "
                f"{(classes == 0).sum()} are real and {(classes == 1).sum()} fake: "
                f"{advice or 'score these images'}, or choose a rule that is not fitted ({NOT_FITTED})"
            )


def _scored(tables: Mapping[str, pd.DataFrame]) -> dict[str, set[str]]:
    """What sentences call each branch -> the image_id that it has scored, then those that all of them have scored."""
    ids = {registry.called(name): set(each.image_id[each.score.notna()]) for name, each in tables.items()}
    return ids | {"all branches together": set.intersection(*ids.values())}


def threshold(scores: pd.DataFrame, joint: pd.DataFrame, supervision: str) -> float:
    """The threshold that the joint validation images of its own axis choose for a branch, all of them if it has none;
    UNCHOSEN if it has not scored both classes of these.
    """
    own = joint.loc[joint["subset"] == supervision] if supervision in set(joint["subset"]) else joint
    label, score = score_table.labelled(scores.loc[scores["image_id"].isin(own["image_id"])], own)
    return thresholds.choose(label, score).value if set(label) == {0, 1} else UNCHOSEN


def summary(members: Sequence[Member], joint: pd.DataFrame) -> pd.DataFrame:
    """One row per branch: title, supervision, run, threshold, how many images of either set it has scored, and its
    AUROC on the joint validation set.
    """
    rows = []
    for each in members:
        label, score = score_table.labelled(each.joint, joint)
        counts = {"test images": each.test["score"].notna().sum(), "joint images": len(label)}
        facts = {"title": registry.title(each.name), "supervision": each.supervision, "run": each.run}
        rows.append(facts | {"threshold": each.threshold} | counts | {"joint AUROC": metrics.auroc(label, score)})
    return pd.DataFrame(rows, index=[each.name for each in members]).round(4)


def fixed(given: Sequence[float], count: int) -> list[float]:
    """One threshold for each of `count` branches, from one for all or one for each."""
    return list(given) * count if len(given) == 1 else list(given)


def described(members: Sequence[Member], given: Sequence[float], fusion: Fusion) -> dict[str, Any]:
    """What detector.json says: the branches with the thresholds that the rule uses and those that it was `given`, which
    differ where it fits its own, and the fusion.
    """
    branches = [
        {"name": each.name, "kind": each.kind, "facts": each.facts, "threshold": used, "given": alone, "run": each.run}
        | {"supervision": each.supervision, "trained_on": each.trained_on}
        for each, used, alone in zip(members, fusion.thresholds, given, strict=True)
    ]
    return {"branches": branches, "fusion": fusion.as_dict()}
