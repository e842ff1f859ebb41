"""A plan as papermill lines for schedulers: each can be run by itself once all lines of earlier waves are complete."""

import json
import shlex

from aligngemini.core import paths
from aligngemini.workflow import tasks
from aligngemini.workflow.plan import Plan
from aligngemini.workflow.tasks import Task

HEADER = """\
# {count} notebooks in {waves} waves: the lines of a wave can run side by side, when the wave before is complete.
# In these files, lines.sh, one after another:  sh -e lines.sh
# Side by side:  for w in $(seq {waves}); do grep "# wave $w$" lines.sh | xargs -d '\\n' -P 4 -n 1 sh -ec || break; done
# Slurm, for each wave w:  sbatch --wait --array=1-$(grep -c "# wave $w$" lines.sh) \\
#   --wrap "sh -ec \\"\\$(grep '# wave $w$' lines.sh | sed -n \\${{SLURM_ARRAY_TASK_ID}}p)\\""
# Runs are found as "latest name:value": use outputs that no one else writes to. A complete run is not made again."""


def text(plans: list[Plan]) -> str:
    """Return the lines of all notebooks that the plans execute, in an order in which they can run."""
    every = tasks.make(plans)
    waves = {task: _wave(task) for task in every if task.plan.runs(task.item)}
    numbers = sorted(set(waves.values()))
    header = HEADER.format(count=len(waves), waves=len(numbers))
    ordered = sorted(waves, key=lambda task: waves[task])
    lines = (f"{_line(task, at)}  # wave {numbers.index(waves[task]) + 1}" for at, task in enumerate(ordered, 1))
    return "\n".join([header, f"mkdir -p {shlex.quote(str(paths.outputs() / 'executed'))}", *lines])


def _wave(task: Task) -> int:
    """How many notebooks stand below it, one on the other."""
    return 1 + max(map(_wave, task.before), default=0)


def _line(task: Task, number: int) -> str:
    made: dict[str, list[str]] = {}
    for each in task.before:
        made.setdefault(each.item.stage.name, []).append(each.item.selector)
    executed = paths.outputs() / "executed" / f"{number:03}_{task.item.stage.name}.ipynb"
    values = json.dumps(task.item.values(made), ensure_ascii=False)
    outputs = f"ALIGNGEMINI_OUTPUTS={shlex.quote(str(paths.outputs()))}"
    words = ["papermill", str(paths.notebook(task.item.stage.name)), str(executed), "-y", values]
    return f"{outputs} {shlex.join(words)}"
