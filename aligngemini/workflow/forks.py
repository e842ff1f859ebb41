"""Kernels forked from a process that has imported the large libraries, so that a command imports these once."""

import json
import os
import signal
import socket
import sys
import threading
from subprocess import Popen
from typing import Any

from aligngemini.workflow import fork_server, share

GPUS = ["/dev/nvidiactl", "/dev/kfd", "/dev/dxg"]  # files of the drivers of NVIDIA, of AMD, and of both in WSL


def possible() -> bool:
    """Whether kernels can be forked. On macOS libraries do not survive a fork; where there is a GPU, one of them may
    use it as soon as it is imported, and then no fork may. Not every GPU is one that nvidia-smi knows of."""
    return sys.platform == "linux" and not share.gpus() and not any(map(os.path.exists, GPUS))


class Server:
    """The process that is forked; it imports the libraries while this one goes on."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            words = [sys.executable, "-P", fork_server.__file__]
            ours = share.SPINS | dict(os.environ)  # of libraries that look when they are imported
            self.process = Popen(words, stdin=theirs, start_new_session=True, env=ours)
        self._answers, self._asking = self._socket.makefile(), threading.Lock()

    def start(self, words: list[str], environment: dict[str, str], folder: str) -> "Forked":
        """Fork the kernel that `python -m WORDS` would be in `folder`; `environment`: all its variables.

        Raises OSError when the process has ended or cannot be forked.
        """
        pid = self.ask(words=words, environment=environment, folder=folder)
        if pid is None:
            raise BlockingIOError("the process that kernels are forked from could not be forked")
        return Forked(self, pid)

    def ask(self, **asked: Any) -> Any:
        """Return the answer of the process. Raises ConnectionError when it has ended."""
        with self._asking:
            self._socket.sendall(f"{json.dumps(asked)}\n".encode())
            answer = self._answers.readline()
        if not answer:
            raise ConnectionResetError("the process that kernels are forked from has ended")
        return json.loads(answer)

    def end(self) -> None:
        """End the process; its kernels end by themselves."""
        self.process.kill()
        self.process.wait()
        self._answers.close()
        self._socket.close()


class Forked:
    """A forked process, with what `subprocess.Popen` has for one that is started."""

    stdin = stdout = stderr = None

    def __init__(self, server: Server, pid: int) -> None:
        self.pid, self.returncode, self._server = pid, None, server

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            try:
                self.returncode = self._server.ask(pid=self.pid)
            except OSError:  # its parent has ended, and so does it: it ended as that did, perhaps for want of memory
                self.returncode = self._server.process.wait() or 1
        return self.returncode

    wait = poll  # jupyter_client waits for those alone that have ended

    def send_signal(self, number: int) -> None:
        """Send a signal to the process while it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


Process = Popen | Forked
