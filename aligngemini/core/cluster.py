"""Ray, an optional extra: a connection to a cluster, and calls that run on any node of it."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import islice
from threading import Event
from typing import Any, NamedTuple

from aligngemini.core.params import Refused, shown

RETRIES = 3  # times that a call is made again after its node or its process was lost
STORE = 100 * 2**20  # bytes of the object store of a Ray that we start: nothing large goes through it
FORWARDED = ("ALIGNGEMINI_", "HF_HOME", "HF_HUB_OFFLINE")  # how variables begin that every node gets; no secrets


class Resources(NamedTuple):
    """What one call takes of a node: processors, GPUs (also a part of one), and memory in GB."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: float = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """The same as Ray names it."""
        memory = {"memory": int(self.memory * 2**30)} if self.memory else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, **memory}


def read(text: str, usual: Resources) -> Resources:
    """The resources that a text such as "cpus=2,gpus=0.5,memory=8" names, the others as `usual`. Raises Refused."""
    given = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.strip().partition("=")
        if name not in Resources._fields or not value.replace(".", "", 1).isdecimal():
            raise Refused(f"--resources takes cpus, gpus and memory (GB), such as cpus=2,gpus=0.5, not {shown(part)}")
        given[name] = float(value)
    return usual._replace(**given)


class Cluster:
    """A Ray cluster: that at `address`, or one on this machine alone. Every call takes `resources` of one node."""

    def __init__(self, address: str = "", resources: str = "", memory: float = 0.0) -> None:
        read(resources, Resources())  # refuses before a cluster is started
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise Refused("--executor ray needs Ray: `pip install -e '.[ray]'`") from error
        options = {"ignore_reinit_error": True, "log_to_driver": False, "logging_level": "ERROR"}
        if not address and "RAY_ADDRESS" not in os.environ:  # one of our own
            options |= {"object_store_memory": STORE, "include_dashboard": False}
        try:
            ray.init(address or None, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            place = address or "RAY_ADDRESS"
            raise Refused(f"there is no Ray cluster at {place}: `ray start --head` makes one") from error
        self.ray = ray
        gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0))
        self.resources = read(resources, Resources(gpus=gpus, memory=memory))
        self.jobs = sum(self._fitting(node) for node in ray.nodes())
        if not self.jobs:
            raise Refused(f"no node of the Ray cluster has {self.resources}: ask for less with --resources")

    def _fitting(self, node: dict[str, Any]) -> int:
        """How many calls a node makes at once."""
        there = node["Resources"] if node["Alive"] else {}
        wanted = dict(zip(("CPU", "GPU", "memory"), (*self.resources[:2], self.resources.memory * 2**30), strict=True))
        return int(min(there.get(name, 0) // amount for name, amount in wanted.items() if amount))

    def call(self, function: Callable, *given: Any, avoid: str = "", stopped: Callable[[], bool] = bool) -> Any:
        """What `function(*given)` returns on some node, not `avoid` if another one fits; raises what it raises.

        A call whose node is lost is made again on another one. Where `stopped` becomes true it is ended, and this
        raises KeyboardInterrupt. To be called in a thread of its own.
        """
        ray, others = self.ray, [node for node in self.ray.nodes() if self._fitting(node) and node["NodeID"] != avoid]
        apart = {"label_selector": {"ray.io/node-id": f"!in({avoid})"}} if avoid and others else {}
        # Without max_calls a process with a GPU ends after one call, and with it the models that it has loaded.
        remote = ray.remote(max_calls=0, max_retries=RETRIES, **self.resources.options, **apart)(_there)
        variables = {name: value for name, value in os.environ.items() if name.startswith(FORWARDED)}
        waiting = remote.remote(variables, function, *given)
        while not ray.wait([waiting], timeout=1.0)[0]:
            if stopped():
                ray.cancel(waiting, force=True)
                raise KeyboardInterrupt
        return ray.get(waiting)

    def each(self, calls: Iterable[Callable[[], Any]]) -> Iterator[Any]:
        """Yield what the calls return, as they end; as many run as the cluster has places for, and no more are made.

        Where one fails, or the caller stops, those that run are ended.
        """
        stop, waiting = Event(), iter(calls)
        with ThreadPoolExecutor(self.jobs) as pool:

            def begin(count: int) -> set[Future]:
                return {pool.submit(self.call, call, stopped=stop.is_set) for call in islice(waiting, count)}

            running = begin(self.jobs)
            try:
                while running:
                    ended = next(as_completed(running))
                    running = running - {ended} | begin(1)
                    yield ended.result()
            finally:
                stop.set()


def node() -> str:
    """The name of the node on which a call runs."""
    import ray

    return ray.get_runtime_context().get_node_id()


def _there(environment: dict[str, str], function: Callable, *given: Any) -> Any:
    os.environ.update(environment)
    return function(*given)


def add_options(command: Any) -> None:
    """Add the words for a cluster to a command of the command line."""
    command.add_argument(
        "--executor", choices=["local", "ray"], default="local", help="where work runs (default: here)"
    )
    command.add_argument(
        "--address", default="", help="Ray cluster, such as auto or HOST:6379 (default: a new one here)"
    )
    command.add_argument("--resources", default="", help="what a Ray task takes: cpus=2,gpus=0.5,memory=8 (GB)")


def asked(args: Any, memory: float = 0.0) -> Cluster | None:
    """The cluster that a command line asks for, None for this machine; `memory`: GB of a task if nothing is said."""
    if args.executor == "ray":
        return Cluster(args.address, args.resources, memory)
    if args.address or args.resources:
        raise Refused("--address and --resources belong to --executor ray: add it, or leave them out")
    return None
