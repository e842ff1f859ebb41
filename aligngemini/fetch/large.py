"""Large files of the hub, gone on with inside a file after a kill.

The hub's own client has begun such files anew since its version 1.18, and always over xet. So they come from their
plain addresses, and lie where the client looks for what it has.
"""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests

from ..workbook import fingerprint
from . import web
from .repository import Repository, answered

CONNECTIONS = 8  # files at once: as many as the hub's client takes


def parts(found: Repository, names: list[str], folder: Path | None) -> dict[str, web.Part]:
    """Address -> unfinished download, of the large files among `names`; in the cache, one for equal ones."""
    from huggingface_hub import hf_hub_url

    places = {found.place(name, folder): name for name in names if found.large(name)}
    told = {"repo_type": found.kind, "revision": found.commit}
    return {hf_hub_url(found.repo, name, **told): web.Part(at, found.digests[name]) for at, name in places.items()}


def fetch(found: Repository, unfinished: dict[str, web.Part]) -> None:
    """Finish `parts`, each whole and with the hub's checksum, or not at all.

    Raises the first Refused, or OSError of the disk, once all have come or failed.
    """
    from huggingface_hub.utils import build_hf_headers

    here = web.session(CONNECTIONS)
    here.headers.update(build_hf_headers())  # requests shows the token in them to no other host
    calls = [partial(_one, here, address, part) for address, part in unfinished.items()]
    _at_once([partial(answered, found.repo, call) for call in calls])


def _one(here: requests.Session, address: str, part: web.Part) -> None:
    from huggingface_hub import get_hf_file_metadata

    get_hf_file_metadata(address)  # so that refusals are told in the errors of the hub's client
    web.gather(here, address, part)
    if fingerprint.of_file(part.file) != part.known:
        part.file.unlink()
        name = address.rsplit("/", 1)[-1]
        raise web.Unfetched(f"{name} came with another checksum than the hub's and is removed")
    part.finish()


def _at_once(calls: list[Callable[[], None]]) -> None:
    """Make calls in threads, CONNECTIONS at a time; raises the first error once all have ended.

    The threads are daemons: whoever stops the command does not wait for gigabytes.
    """
    errors: list[BaseException] = []
    free = threading.Semaphore(CONNECTIONS)

    def made(call: Callable[[], None]) -> None:
        with free:
            try:
                call()
            except BaseException as error:  # raised below
                errors.append(error)

    threads = [threading.Thread(target=made, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
