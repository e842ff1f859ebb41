"""Kill a command from inside, at one of its writes: Python loads this file where PYTHONPATH names its folder.

KILLS_FOLDER: writes below it count. KILLS_LOG: each is noted there. KILLS_AT: at which one (from 0) to kill.
KILLS_WHO, KILLS_SIGNAL: parent, kernel or group, and the number of the signal. KILLS_TEAR: which share is left of a
file that is about to be moved into place, as if the kill had come while it was written.
"""

import os
import random
import sys
import time
from pathlib import Path

WRITES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")
STUNNED = 2.0  # seconds that the kernel stays inside the write after its parent was killed


def path_of(event: str, given: tuple) -> str:
    """Return the path that an audit event changes, "" if it changes none."""
    if event not in WRITES or (event == "open" and not given[2] & (os.O_WRONLY | os.O_RDWR)):
        return ""
    path = given[1] if event == "os.rename" else given[0]
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""


def tear(path: Path, share: float) -> None:
    """Leave `share` of a file, or of one of the files in a folder."""
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    if files:
        file = random.Random(share).choice(files)
        os.truncate(file, int(file.stat().st_size * share))


def kill(who: str, number: int) -> None:
    """Send the signal to the command, to this kernel, or to both."""
    if who != "kernel":
        os.kill(os.getppid(), number)
    if who != "parent":
        os.kill(os.getpid(), number)
    time.sleep(STUNNED)


class Watch:
    """Counts this process's writes and kills at the one that is asked for."""

    def __init__(self, folder: str) -> None:
        self.folder, self.count, self.busy = folder, 0, False
        self.at = int(os.environ.get("KILLS_AT", -1))
        self.log = open(os.environ["KILLS_LOG"], "a") if "KILLS_LOG" in os.environ else None  # noqa: SIM115

    def __call__(self, event: str, given: tuple) -> None:
        path = "" if self.busy else path_of(event, given)
        if not path.startswith(self.folder) or path.endswith(".lock"):
            return
        self.busy = True
        if self.log:
            print(self.count, event, path.removeprefix(self.folder), file=self.log, flush=True)
        if self.count == self.at:
            self.strike(event, given)
        self.count, self.busy = self.count + 1, False

    def strike(self, event: str, given: tuple) -> None:
        if share := os.environ.get("KILLS_TEAR"):
            target = Path(os.fsdecode(given[0]))
            tear(target.parent if target.parent.name.startswith("checkpoint-") else target, float(share))
        kill(os.environ["KILLS_WHO"], int(os.environ["KILLS_SIGNAL"]))


def watch(folder: str) -> None:
    """Watch the writes of this process below `folder`, as the variables say, until it ends."""
    sys.addaudithook(Watch(folder))


if "KILLS_FOLDER" in os.environ and any("ipykernel" in word for word in sys.orig_argv):
    watch(os.environ["KILLS_FOLDER"])
