"""Kernels as jupyter_client manages them: of this very Python, started anew or forked, and met by nobody else."""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from aligngemini.core import paths
from aligngemini.workflow.forks import Process, Server

# What a kernel runs first: at its end Python would look for garbage in all libraries, for a second or two.
END = '__import__("atexit").register(__import__("gc").freeze);'
SOCKET_PATH = 103  # bytes in the path of a Unix socket: what macOS allows, Linux 4 more (unix(4), unix(7))


def of(
    sockets: Path,
    environment: dict[str, str],
    server: Server | None,
    began: Callable[[Process], None],
    stopping: Callable[[], bool],
) -> type:
    """Return a kernel manager that ignores installed kernel specs, which may name another Python.

    It listens in the folder `sockets`, where no other user and no other kernel can meet it, or on loopback ports where
    the path of that folder is too long for a socket. `environment`: further variables of the kernel; `server`:
    what it is forked from, if it is; `began` is told its process; `stopping`: whether all kernels are being ended.
    """
    spec = _spec(environment)
    fits = len(os.fsencode(f"{sockets}/kernel-ipc-5")) <= SOCKET_PATH  # the last of five names by jupyter_client

    class ThisPython(AsyncKernelManager):
        kernel_spec = property(lambda self: spec)

        def __init__(self, **options: Any) -> None:
            super().__init__(transport="ipc" if fits else "tcp", connection_file=f"{sockets}/kernel.json", **options)
            if server:
                self.provisioner = Forking(server, kernel_spec=spec, parent=self)

        async def start_kernel(self, **options: Any) -> None:
            asyncio.get_running_loop().set_exception_handler(partial(_report, stopping))
            await super().start_kernel(**options)
            began(self.provisioner.process)  # type: ignore[union-attr]

    return ThisPython


def _spec(environment: dict[str, str]) -> KernelSpec:
    path = os.pathsep.join(filter(None, [str(paths.PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    # A busy kernel complains when it is interrupted before it is shut down; errors of cells are no lines of its log.
    quiet = "--IPKernelApp.log_level=CRITICAL"
    first = f"--IPKernelApp.exec_lines={END}"
    argv = [sys.executable, "-m", "ipykernel_launcher", quiet, first, "-f", "{connection_file}"]
    # jupyter_client takes $NAME in a value for another variable, and $$ for $.
    variables = {name: value.replace("$", "$$") for name, value in {"PYTHONPATH": path, **environment}.items()}
    return KernelSpec(**get_kernel_dict() | {"argv": argv, "env": variables})


class Forking(LocalProvisioner):
    """Has the process of a kernel forked, or started where the process that would be forked has ended."""

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(**options)
        self._server = server

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        """Fork what the command `cmd` would start; `options`: its `env` and `cwd`, as `subprocess.Popen` takes them."""
        self.cwd = options.get("cwd") or os.getcwd()
        try:
            self.process = self._server.start(cmd[2:], options["env"], self.cwd)
        except OSError:
            return await super().launch_kernel(cmd, **options)
        self.pid = self.pgid = self.process.pid  # it begins a session, and so a group, of its own
        return self.connection_info


def _report(stopping: Callable[[], bool], loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The client's tasks that wait for a kernel must not report that we ended it."""
    if not stopping():
        loop.default_exception_handler(context)
