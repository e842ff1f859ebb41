"""Kill notebooks at many moments, run them again, and compare with runs that nobody killed.

python -m tests.kills.kills --moments 100 --work DIR             cells in a process forked from this one: quick
python -m tests.kills.kills --moments 20 --work DIR --commands   `aligngemini run` with papermill and a kernel

DIR keeps the unbroken runs and a line of JSON for each moment, so that a second call goes on. Two thirds of the moments
lie anywhere in the time of a notebook, a third inside its writes: tables, checkpoints, adapters, images, moves. The
command alone, its kernel alone, or both get SIGKILL, SIGTERM, SIGHUP or SIGINT.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from aligngemini.core import paths, stages
from tests import signals
from tests.kills import forked

STAGES = ("01", "02", "03", "04", "05")
GIVEN = {  # one run of each notebook
    "02": {"supervision": "semantic"},
    "03": {"supervision": "pixel"},
    "04": {"branch_runs": ["vlm latest", "expert latest"]},
    "05": {"branch_runs": ["vlm latest", "expert latest"]},
}
WHO = ("parent", "kernel", "group")
SIGNALS = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")
CHECKS = ("recovered", "equal", "orphans", "half_files", "stale")
PATIENCE = 15  # seconds that processes have to end after a kill
LIMIT = 900  # seconds that a notebook may take
CACHES = "torchinductor_"  # a folder that torch keeps among temporary files, and uses again


def start(stage: str, work: Path, outputs: Path, commands: bool, **more: str):
    """Start a notebook: as a command, or its cells alone; return the process."""
    (outputs / "tmp").mkdir(parents=True, exist_ok=True)
    variables = {
        "ALIGNGEMINI_OUTPUTS": str(outputs),
        "ALIGNGEMINI_BUILT": str(work / "built"),
        "TMPDIR": str(outputs / "tmp"),
        "KILLS_MARK": str(outputs),
        "OMP_NUM_THREADS": "1",  # as of forked.load: the last digits hang on it
        **more,
    }
    if not commands:
        recipe = yaml.safe_load((paths.notebooks() / "recipes" / "smoke" / f"{notebook(stage)}.yaml").read_text())
        given = recipe | GIVEN.get(stage, {})
        return forked.start(paths.notebook(notebook(stage)), given, variables, outputs / "said.txt")
    words = [word for name, value in GIVEN.get(stage, {}).items() for word in ("-p", name, yaml_text(value))]
    words = ["run", "--scale", "smoke", "--jobs", "1", "--only", stage, *words]
    python = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "aligngemini.cli", *words],
        env=os.environ | variables | {"PYTHONPATH": python},
        preexec_fn=signals.as_usual,
        stdout=(outputs / "said.txt").open("w"),
        stderr=subprocess.STDOUT,
    )


def yaml_text(value: object) -> str:
    """A value as `-p` takes it."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


def notebook(stage: str) -> str:
    """The name of a stage's notebook."""
    return stages.find(stage).name


def unbroken(work: Path) -> dict[str, dict]:
    """Run all notebooks once; return stage -> its seconds, and the kinds of its writes in order."""
    outputs, facts = work / "unbroken", work / "unbroken.json"
    if facts.exists():
        return json.loads(facts.read_text())
    found = {}
    for stage in STAGES:
        log, began = work / f"writes-{stage}.txt", time.monotonic()
        log.unlink(missing_ok=True)
        folder = str(outputs / notebook(stage))
        code = start(stage, work, outputs, False, KILLS_FOLDER=folder, KILLS_LOG=str(log)).wait(LIMIT)
        if code:
            sys.exit((outputs / "said.txt").read_text())
        found[stage] = {"seconds": time.monotonic() - began, "writes": [line.split()[1] for line in log.open()]}
        print(f"{stage}: {found[stage]['seconds']:.0f} s, {len(found[stage]['writes'])} writes", flush=True)
    facts.write_text(json.dumps(found))
    return found


def moment(number: int, facts: dict[str, dict], commands: bool) -> dict:
    """The moment with this number, the same in every call."""
    rng = random.Random(number)
    stage, who = STAGES[number % len(STAGES)], WHO[number // 5 % 3] if commands else "kernel"
    chosen = {"number": number, "stage": stage, "who": who, "signal": SIGNALS[number // 2 % 4]}
    if rng.random() >= 1 / 3:
        late = 2.0 if commands else 1.0  # libraries take as long again
        return chosen | {"at": "time", "seconds": rng.uniform(0.02, late) * facts[stage]["seconds"]}
    writes = facts[stage]["writes"]
    kind = rng.choice(sorted(set(writes)))  # moves of folders are few among hundreds of images
    at = rng.choice([place for place, each in enumerate(writes) if each == kind])
    torn = kind == "os.rename" and who != "parent" and chosen["signal"] == "SIGKILL"
    return chosen | {"at": kind, "write": at, "tear": rng.random() if torn else None}


def killed(each: dict, work: Path, outputs: Path, commands: bool) -> None:
    """Start the notebook of a moment and kill it then; it may have ended before."""
    more = {}
    if each["at"] != "time":
        more = {"KILLS_FOLDER": str(outputs / notebook(each["stage"])), "KILLS_AT": str(each["write"])}
        more |= {"KILLS_WHO": each["who"], "KILLS_SIGNAL": str(int(signal.Signals[each["signal"]]))}
        more |= {"KILLS_TEAR": str(each["tear"])} if each["tear"] is not None else {}
    process = start(each["stage"], work, outputs, commands, **more)
    each["pid"] = process.pid
    try:
        if each["at"] == "time":
            process.wait(each["seconds"])
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        for pid in aims(process.pid, each["who"]):
            end(pid, signal.Signals[each["signal"]])
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(LIMIT)


def aims(parent: int, who: str) -> list[int]:
    """The processes that are killed: the command, its kernels, or both; itself while it has no kernel."""
    try:
        kernels = [child.pid for child in psutil.Process(parent).children() if "ipykernel" in " ".join(child.cmdline())]
    except psutil.Error:
        kernels = []
    return {"parent": [parent], "kernel": kernels or [parent], "group": [parent, *kernels]}[who]


def end(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def orphans(session: int, outputs: Path) -> list[psutil.Process]:
    """The processes of a notebook that are left some seconds after it has ended."""
    ends = time.monotonic() + PATIENCE
    while left := [each for each in psutil.process_iter() if ours(each, session, str(outputs))]:
        if time.monotonic() > ends:
            return left
        time.sleep(0.2)
    return []


def ours(process: psutil.Process, session: int, mark: str) -> bool:
    """Whether a process is of a session, or has our mark among its variables."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return os.getsid(process.pid) == session or process.environ().get("KILLS_MARK") == mark
    except (psutil.Error, ProcessLookupError):
        return False


def contents(folder: Path) -> dict[str, list]:
    """The complete runs in the folder of a notebook: name -> results and digests of files.

    A page names the folder of the outputs, which is another one for each moment.
    """
    found = {}
    for path in sorted(folder.glob("[!.]*/manifest.json")):
        record = json.loads(path.read_text())
        pages = [path.with_name(name) for name in record["files"] if name.endswith(".html")]
        texts = {page.name: page.read_text().replace(str(folder.parent), "") for page in pages}
        found[path.parent.name] = [record["results"], record["files"] | texts]
    return found


def half_files(folder: Path) -> list[str]:
    """What lies in the folder of a notebook and belongs to no complete run."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob(".*") if path.suffix != ".lock"]
    return [*names, *({path.name for path in folder.glob("[!.]*/*")} & {"checkpoints", "failed.ipynb"})]


def tried(each: dict, work: Path, commands: bool) -> dict:
    """Kill, run again, compare; the moment with what came of it."""
    outputs, home = Path(tempfile.mkdtemp(prefix="kills-", dir=work)), notebook(each["stage"])
    for folder in sorted((work / "unbroken").glob("0*")):
        if folder.name < home:
            shutil.copytree(folder, outputs / folder.name, copy_function=os.link)
    killed(each, work, outputs, commands)
    left = orphans(each.pop("pid", -1), outputs)
    words = [" ".join(process.cmdline())[:200] for process in left if process.is_running()]
    for process in left:
        end(process.pid, signal.SIGKILL)
    code = start(each["stage"], work, outputs, commands).wait(LIMIT)
    there, wanted = contents(outputs / home), contents(work / "unbroken" / home)
    stale = sorted(path.relative_to(outputs / "tmp").as_posix() for path in (outputs / "tmp").rglob("*"))
    each |= {
        "recovered": code == 0,
        "equal": there == wanted,
        "orphans": words,
        "half_files": half_files(outputs / home),
        "stale": [name for name in stale if not name.startswith(CACHES)],
        "said": (outputs / "said.txt").read_text()[-2000:] if code else "",
    }
    if passed(each):
        shutil.rmtree(outputs)
    return each | {"outputs": str(outputs)}


def passed(each: dict) -> bool:
    """Whether nothing is wrong with a moment."""
    return each["recovered"] and each["equal"] and not any(each[name] for name in ("orphans", "half_files", "stale"))


def table(done: list[dict]) -> str:
    """How many moments pass or fail each check, by who was killed and where."""
    lines = ["| killed | at | moments | " + " | ".join(CHECKS) + " |", "|---" * (len(CHECKS) + 3) + "|"]
    groups = {(each["who"], "time" if each["at"] == "time" else "write"): [] for each in done}
    for each in done:
        groups[each["who"], "time" if each["at"] == "time" else "write"].append(each)
    for (who, at), some in [*sorted(groups.items()), (("all", ""), done)]:
        counts = [str(sum(bool(each[name]) for each in some)) for name in CHECKS]
        lines.append(f"| {who} | {at} | {len(some)} | {' | '.join(counts)} |")
    return "\n".join(lines)


def main() -> None:
    """Try the moments that have not been tried yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--work", type=Path, required=True, help="folder for everything")
    parser.add_argument("--commands", action="store_true", help="kill commands and kernels")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    forked.load()
    facts, notes = unbroken(work), work / ("commands.jsonl" if args.commands else "cells.jsonl")
    done = [json.loads(line) for line in notes.open()] if notes.exists() else []
    for number in range(len(done), args.moments):
        done.append(tried(moment(number, facts, args.commands), work, args.commands))
        with notes.open("a") as file:
            print(json.dumps(done[-1]), file=file)
        if not passed(done[-1]):
            print(json.dumps(done[-1], indent=1), flush=True)
    print(table(done))


if __name__ == "__main__":
    main()
