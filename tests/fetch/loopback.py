"""A web server on this machine: plain files with ranges and entity tags, a hub with its routes, and bad days."""

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.fetch.content import Content, blob, sha256
from tests.fetch.uploads import Uploads

COMMIT = "1f" * 20
LFS = (".safetensors", ".tar.gz", ".bin")


class Loopback(ThreadingHTTPServer):
    """`files`: path -> bytes; `hub`: the folder of repositories, models/owner/name and datasets/owner/name.

    Bad days: `status` (pattern of paths -> status, as often as given, for ever with -1), `cut` (pattern -> how many
    bytes of a body come before the connection breaks, once), `stall` (likewise, but then nothing more happens),
    `no_range`, and `swapped` (pattern -> other bytes of the same length). `asked` holds (method, path, Range header) of
    every question, `told` (path, body) of every upload, `trusted` the paths that were shown a token; a new `commit` is
    what the hub changes with.
    """

    daemon_threads = True

    def __init__(self, hub: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub, self.files, self.asked, self.told, self.trusted, self.commit = hub, {}, [], [], set(), COMMIT
        self.status, self.cut, self.stall, self.swapped, self.no_range = {}, {}, {}, {}, False
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def got(self, pattern: str, method: str = "GET") -> list[str]:
        """The Range headers ("" for none) of the requests whose path holds `pattern`."""
        return [told for how, path, told in self.asked if how == method and pattern in path]

    def handle_error(self, request, address) -> None:
        """Clients that leave are no news; a fault of this server is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, address)


class Handler(Uploads, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words) -> None:
        """Requests are kept in `asked`, not printed."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path, server = unquote(urlsplit(self.path).path), self.server
        server.asked.append((self.command, self.path, self.headers.get("Range", "")))
        if self.headers.get("Authorization"):
            server.trusted.add(path)
        for pattern, (status, times) in list(server.status.items()):
            if re.search(pattern, path) and times:
                server.status[pattern] = (status, times - 1)
                return self._send(b"", status, {"X-Error-Code": "GatedRepo"} if status == 403 else {})
        if path.startswith("/api/"):
            return self._api(path)
        if told := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(told[1] or "models/", told[2], told[4])
        if told := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
            return self._file(next(f for f in server.hub.rglob("*") if f.is_file() and sha256(f) == told[1]))
        if path in server.files:
            return self._body(Content(server.files[path]), path)
        self._send(b"", 404)

    def _api(self, path: str) -> None:
        asked = re.match(r"/api/(models|datasets)/([^/]+/[^/]+)", path)
        kind, repo = asked.groups() if asked else ("models", path)
        folder = self.server.hub / kind / repo.lstrip("/")
        if not folder.is_dir():
            return self._send(b"", 404, {"X-Error-Code": "RepoNotFound"})
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        if "/tree/" in path:
            below = path.split("/tree/")[1].partition("/")[2]
            told = [_entry(p, folder) for p in files if p.relative_to(folder).as_posix().startswith(below)]
            return self._send(json.dumps(told).encode())
        told = {
            "id": repo,
            "sha": self.server.commit,
            "tags": ["license:apache-2.0"],
            "siblings": [_sibling(p, folder) for p in files],
        }
        self._send(json.dumps(told).encode())

    def _resolve(self, kind: str, repo: str, name: str) -> None:
        file = self.server.hub / kind / repo / name
        known = {"X-Repo-Commit": self.server.commit}
        if not (self.server.hub / kind / repo).is_dir():
            return self._send(b"", 404, {"X-Error-Code": "RepoNotFound"})
        if not file.is_file():
            return self._send(b"", 404, known | {"X-Error-Code": "EntryNotFound"})
        if not name.endswith(LFS):
            return self._send(file.read_bytes(), 200, known | {"ETag": f'"{blob(file)}"'})
        linked = {"X-Linked-ETag": f'"{sha256(file)}"', "X-Linked-Size": str(file.stat().st_size)}
        cdn = f"http://localhost:{self.server.server_address[1]}"  # another host than the hub's own, as its CDN is
        self._send(b"", 302, known | linked | {"Location": f"{cdn}/cdn/{sha256(file)}"})

    def _file(self, file: Path) -> None:
        self._body(Content(file), file.relative_to(self.server.hub).as_posix())

    def _body(self, content: Content, path: str) -> None:
        headers = {"ETag": content.etag}
        for pattern, other in self.server.swapped.items():
            content = Content(other) if re.search(pattern, path) else content
        part = self._wanted(headers["ETag"], content.size)
        start, stop = part or (0, content.size)
        if part and start >= content.size:
            return self._send(b"", 416, headers | {"Content-Range": f"bytes */{content.size}"})
        headers |= {"Content-Range": f"bytes {start}-{stop - 1}/{content.size}"} if part else {}
        stall = self._until(self.server.stall, path)
        if stall is not None:
            self._head(200, headers, content.size)
            self._copy(content, 0, stall)
            return time.sleep(60)
        self._head(206 if part else 200, headers, stop - start)
        cut = self._until(self.server.cut, path)
        self._copy(content, start, stop if cut is None else min(stop, start + cut))
        self.close_connection |= cut is not None

    def _wanted(self, etag: str, size: int) -> tuple[int, int] | None:
        """Where the asked part of a content begins and ends; None for all of it, as where it would end first."""
        told = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not told or self.server.no_range or self.headers.get("If-Range", etag) != etag:
            return None
        first, last = int(told[1]), int(told[2] or size)
        return None if told[2] and last < first else (first, min(last + 1, size))

    def _copy(self, content: Content, start: int, stop: int) -> None:
        """Send a part of a content, by the kernel if it is a file."""
        if self.command != "HEAD" and stop > start:
            with content.opened() as file:
                self.connection.sendfile(file, start, stop - start)

    def _until(self, days: dict[str, int], path: str) -> int | None:
        found = next((pattern for pattern in days if re.search(pattern, path)), None)
        return days.pop(found) if found and self.command == "GET" else None

    def _send(self, body: bytes, status: int = 200, headers: dict | None = None) -> None:
        self._head(status, headers or {}, len(body))
        self._copy(Content(body), 0, len(body))

    def _head(self, status: int, headers: dict, length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def _sibling(file: Path, folder: Path) -> dict:
    entry = _entry(file, folder)
    lfs = {"lfs": {"sha256": entry["lfs"]["oid"], "size": entry["size"], "pointerSize": 130}} if "lfs" in entry else {}
    return {"rfilename": entry["path"], "size": entry["size"], "blobId": entry["oid"]} | lfs


def _entry(file: Path, folder: Path) -> dict:
    size, name = file.stat().st_size, file.relative_to(folder).as_posix()
    lfs = {"lfs": {"oid": sha256(file), "size": size, "pointerSize": 130}} if name.endswith(LFS) else {}
    return {"type": "file", "path": name, "size": size, "oid": blob(file)} | lfs
