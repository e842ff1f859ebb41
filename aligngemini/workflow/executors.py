"""Where notebooks run: in kernels of this machine, or in those of a Ray cluster that sees the same files."""

from pathlib import Path
from typing import Any

from aligngemini.core import cluster, paths
from aligngemini.core.cluster import Cluster
from aligngemini.workflow import forks, kernel, share
from aligngemini.workflow.plan import Plan


class Local:
    """Kernels of this machine, `jobs` at once; `scratch`: where a notebook lies while it runs (None: wherever)."""

    scratch: Path | None = None

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self._server: forks.Server | None = None

    def prepare(self, notebooks: int) -> None:
        """Let forks be prepared while the command plans, if it pays for so many notebooks."""
        if notebooks > 1 and forks.possible():
            self._server = kernel.server()

    def variables(self, place: int, beside: int) -> dict[str, str]:
        """The variables that give a kernel its share of this machine; arguments as of `share.variables`."""
        return share.variables(place, self.jobs, beside)

    def execute(self, notebook: Path, executed: Path, values: dict[str, Any], environment: dict[str, str]) -> None:
        """Run a notebook as `kernel.execute` does."""
        kernel.execute(notebook, executed, values, environment, self._server)

    def end(self) -> None:
        """End what was prepared for further notebooks."""
        if self._server:
            self._server.end()
            self._server = None


class Ray(Local):
    """Kernels of a cluster. Project and outputs have the same paths on all nodes, as on a shared file system."""

    def __init__(self, nodes: Cluster, jobs: int = 0) -> None:
        super().__init__(min(jobs or nodes.jobs, nodes.jobs))
        self.nodes, self.scratch = nodes, paths.outputs() / ".executing"

    def prepare(self, notebooks: int) -> None:
        """Nothing is prepared: nodes start their kernels themselves."""

    def variables(self, place: int, beside: int) -> dict[str, str]:
        """As many threads as a task has processors."""
        return {share.THREADS: str(max(1, int(self.nodes.resources.cpus)))}

    def execute(self, notebook: Path, executed: Path, values: dict[str, Any], environment: dict[str, str]) -> None:
        """Run it on some node; once more on another one where its kernel died, and where the node was lost."""
        given = notebook, executed, values, environment
        node, error = self.nodes.call(_execute, *given, stopped=kernel.stopping)
        if isinstance(error, kernel.Died):
            _, error = self.nodes.call(_execute, *given, avoid=node, stopped=kernel.stopping)
        if error:
            raise error


def asked(args: Any, plans: list[Plan]) -> Local:
    """The executor that a command line asks for. Raises Refused."""
    nodes = cluster.asked(args, max(plan.memory for plan in plans))
    if nodes is None:
        return Local(share.jobs(args.jobs, plans))
    return Ray(nodes, share.jobs(args.jobs, plans) if args.jobs else 0)


class Raised(RuntimeError):
    """The error of a notebook that ran elsewhere, with `ename` and `evalue` as papermill's has them."""

    def __init__(self, ename: str, evalue: str) -> None:
        super().__init__(ename, evalue)
        self.ename, self.evalue = ename, evalue


def _execute(
    notebook: Path, executed: Path, values: dict[str, Any], environment: dict[str, str]
) -> tuple[str, Exception | None]:
    """Run a notebook on this node; return the node and its error, in a form that can be sent."""
    try:
        kernel.execute(notebook, executed, values, environment)
    except kernel.Died as error:
        return cluster.node(), error
    except Exception as error:
        text = str(getattr(error, "evalue", error))
        return cluster.node(), Raised(getattr(error, "ename", type(error).__name__), text)
    return cluster.node(), None
