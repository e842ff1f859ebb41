"""One plain sentence for each question that a reader brings, from the saved tables: what the report opens with."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from aligngemini.analysis import pairs, tables
from aligngemini.analysis.models import folder
from aligngemini.analysis.tables import spell
from aligngemini.branches.registry import title
from aligngemini.core.params import Refused
from aligngemini.scores.intervals import CLAIMED
from aligngemini.scores.metrics import BALANCED

AXES = ("semantic", "pixel")
NARROW = 0.2  # width of an interval around one half up to which a value is called near chance; our choice
SOME = 3  # places that a sentence names
SMALL = 0.05  # a loss of balanced accuracy that counts as none; our choice
CHANGED = {  # what mixing did to a branch, by the answer; of several answers the first one here is given
    "It hurts": "a loss",
    "Not shown": "loss or none, too few images to tell",
    "It does not hurt": f"no loss above {SMALL}",
    "It helps": "a gain",
}
NOTE = (
    "Balanced accuracy: the mean of the shares of reals and of fakes judged right; 0.5 is guessing. In brackets: 95 % "
    "intervals. Both models of a difference judged the same images; it counts only if it holds after correction "
    "for all comparisons."
)


class Answer(NamedTuple):
    """A question, the answer in two or three words, and the sentence with its numbers."""

    question: str
    word: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.question} {self.word}: {self.sentence}"


def answers(alignment: pd.DataFrame, differences: pd.DataFrame, violations: pd.DataFrame | None = None) -> list[Answer]:
    """The four answers; the tables are those of tables.alignment, pairs.differences and tables.families.

    Alignment and mixing are judged on the first benchmark, fusion and failures on all. Of several subsets of one axis
    the one that speaks most against the claim counts.
    """
    main, paired = tables.first(alignment), differences
    paired = paired[(paired.benchmark == alignment.benchmark.iloc[0]) & (paired.model != "fusion")]
    return [_alignment(main), _mixing(paired), _fusion(alignment, differences), _failures(alignment, violations)]


def headline(run_or_folder) -> str:
    """The answers of a run of notebook 05, one a line, above its table: one block per benchmark, balanced accuracy with
    its interval. Raises Refused if the run has none.
    """
    place = folder(run_or_folder)
    if not (place / "alignment.parquet").is_file():
        raise Refused(f"There is no {place / 'alignment.parquet'}; run notebook 05 to its end first.")
    saved = [pd.read_parquet(place / f"{name}.parquet") for name in ("alignment", "differences", "families")]
    blocks = [f"{name}\n{block.to_string()}" for name, block in tables.benchmarks(saved[0]).items()]
    return "\n\n".join(["\n".join(map(str, answers(*saved))), *blocks])


def _alignment(main: pd.DataFrame) -> Answer:
    """Holds if each pure branch is above chance on its own axis and, with intervals that do not meet, above the other
    axis; does not hold if one is near or below chance on its own, or better on the other."""
    words, parts = set(), []
    rows = main[(main.metric == BALANCED) & main["axis"].isin(AXES) & main.supervision.isin(AXES)]
    rows = rows[rows.title.isin(pairs.first_pure(rows).title)]
    for name, part in rows.groupby("model", sort=False):
        own, other = (part[(part["axis"] == part.supervision) == same] for same in (True, False))
        if own.empty or other.empty:
            continue
        own, other = own.loc[own.value.idxmin()], other.loc[other.value.idxmax()]
        sees = "It holds" if own.low > max(0.5, other.high) else "Not shown"
        words.add("It does not hold" if _at_chance(own) or own.high < other.low else sees)
        parts.append(f"{title(name)} reaches {_level(own)} and {_level(other)}")
    if not parts:
        return Answer("Does alignment hold here?", "Cannot be said", "no branch was tested on fakes of either kind.")
    word = next(each for each in ("It does not hold", "Not shown", "It holds") if each in words)
    return Answer("Does alignment hold here?", word, f"{'; '.join(parts)}.")


def _level(row) -> str:
    """'0.50 [0.49, 0.51] (chance) on pixel fakes'."""
    chance = " (chance)" if _at_chance(row) and row.high >= 0.5 else ""
    return f"{spell(row.value, row.low, row.high)}{chance} on {row['axis']} fakes"


def _at_chance(row) -> bool:
    """Near one half, as a NARROW interval shows, or below."""
    return bool(row.high <= 0.5 or (row.low <= 0.5 and row.high - row.low <= NARROW))


def _mixing(paired: pd.DataFrame) -> Answer:
    """What mixed supervision changed on each branch's own axis: a loss that is one, none above SMALL, or not shown."""
    rows = paired[(paired.other_supervision == "mixed") & (paired["axis"] == paired.pure_supervision)]
    question = "Does mixing hurt?"
    if rows.empty:
        return Answer(question, "Cannot be said", "no run under mixed supervision was compared with a pure one.")
    words, parts = [], []
    for name, part in rows.groupby("model", sort=False):
        row = part.loc[part.difference.idxmin()]
        sure = row.p_holm <= CLAIMED
        harmless = "It does not hurt" if row.low > -SMALL else "Not shown"
        words.append(("It hurts" if row.difference < 0 else "It helps") if sure else harmless)
        change = spell(row.difference, row.low, row.high, sign=True)
        parts.append(f"{title(name)} {change} on {row['axis']} fakes ({CHANGED[words[-1]]})")
    word = next(each for each in CHANGED if each in words)
    word += " in part" if word == "It hurts" and set(words) != {word} else ""
    return Answer(question, word, f"mixed minus pure supervision: {'; '.join(parts)}.")


def _fusion(alignment: pd.DataFrame, differences: pd.DataFrame) -> Answer:
    """Against the best pure branch of each benchmark, on the mean over its subsets."""
    means = alignment[(alignment.subset == "mean") & alignment.value.notna()]
    fused = means[means.model == "fusion"]
    rule = fused.title.iloc[0].partition("(")[2].rstrip(")").replace("_", " ") if len(fused) else "fusion"
    question = f"Does {rule.upper()} pay, and when not?"
    gains = {"pays": [], "costs": [], "no gain shown": []}
    for own in fused.itertuples():
        branches = pairs.first_pure(means[means.benchmark == own.benchmark])
        best = branches.loc[branches.value.idxmax()] if len(branches) else own
        paired = differences[(differences.other == own.title) & (differences.benchmark == own.benchmark)]
        for row in paired[paired.pure == best.title].head(1).itertuples():
            claim = ("pays" if row.difference > 0 else "costs") if row.p_holm <= CLAIMED else "no gain shown"
            change = spell(row.difference, row.low, row.high, sign=True)
            gains[claim].append(f"“{own.benchmark}” ({own.value:.2f}; {change} against {title(best.model)})")
    count = sum(map(len, gains.values()))
    if not count:
        return Answer(question, "Cannot be said", "no fusion was compared with its branches.")
    word = f"On {len(gains['pays'])} of {count} benchmarks" if gains["pays"] else "Not shown"
    word = {len(gains["pays"]): "It pays", len(gains["costs"]): "It does not pay"}.get(count, word)
    parts = [f"{claim} on {_some(found)}" for claim, found in gains.items() if found]
    return Answer(question, word, f"{'; '.join(parts)}. {_alarms(tables.first(means))}")


def _alarms(means: pd.DataFrame) -> str:
    branches = pairs.first_pure(means)
    texts = [f"{title(row.model)} {1 - row.real_accuracy:.1%}" for row in branches.itertuples()]
    fused = means[means.model == "fusion"].real_accuracy.iloc[0]
    return f"It calls {1 - fused:.1%} of the reals fake ({', '.join(texts)})."


def _failures(alignment: pd.DataFrame, violations: pd.DataFrame | None) -> Answer:
    """Where fusion (or, without one, the first model) is near chance, and the weakest of the rest."""
    question = "Where does it fail?"
    rows = alignment[(alignment.subset != "mean") & (alignment.metric == BALANCED) & alignment.value.notna()]
    name = next(iter([*rows.title[rows.model == "fusion"], *rows.title]), "")
    rows = rows[rows.title == name].sort_values("value", kind="stable")
    if rows.empty:
        return Answer(question, "Cannot be said", "no subset holds both reals and fakes.")
    failed = rows.apply(_at_chance, axis=1)
    wide, rest = rows[~failed & (rows.low <= 0.5)], rows[rows.low > 0.5].head(1)
    parts = [f"{name} is near chance on {_places(rows[failed])}"] if failed.any() else []
    parts += [f"too few images to tell on {_places(wide)}"] if len(wide) else []
    weakest = f"the weakest {'of the rest' if parts else 'subset of ' + name} is"
    parts += [f"{weakest} {_places(rest)}"] if len(rest) else []
    parts += [_missed(violations[violations.title == name])] if violations is not None else []
    word = "Not shown" if len(wide) else "Nowhere at chance"
    word = f"On {failed.sum()} of {len(rows)} subsets" if failed.any() else word
    return Answer(question, word, f"{'; '.join(filter(None, parts))}.")


def _places(rows: pd.DataFrame) -> str:
    return _some(f"“{row.subset}” {spell(row.value, row.low, row.high)}" for row in rows.itertuples())


def _missed(violations: pd.DataFrame) -> str:
    found = violations[violations.family != tables.REALS]
    if found.empty:
        return ""
    row = found.loc[found.called_fake.idxmin()]
    return f"of the violations it finds “{row.family}” least, {spell(row.called_fake, row.low, row.high)}"


def _some(texts: Iterable[str]) -> str:
    texts = list(texts)
    return ", ".join(texts[:SOME]) + (f" and {len(texts) - SOME} more" if len(texts) > SOME else "")
