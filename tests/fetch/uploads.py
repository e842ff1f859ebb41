"""The hub's side of an upload over plain HTTP: a repository made, large files stored by digest, and a commit."""

import base64
import json
from pathlib import Path

import yaml

LARGE = ".safetensors"


class Uploads:
    """Routes of a request handler whose server has `hub`, the folder of repositories, and `commit`.

    What a commit brings lies in the repository afterwards; the body of every request is kept in the server's `told`.
    """

    def do_POST(self) -> None:
        body, route = self._received(), self.path.split("?")[0]
        routes = {"create": self._create, "validate-yaml": self._card, "main": self._main, "batch": self._batch}
        answer = routes[route.rsplit("/", 1)[-1]](body)
        self._send(json.dumps(answer).encode())

    def do_PUT(self) -> None:
        self._stored(self.path.rsplit("/", 1)[-1]).write_bytes(self._received())
        self._send(b"")

    def _received(self) -> bytes:
        """The body, also one that comes in chunks because its length was not known."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        else:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size + 2)[:-2]
            self.rfile.readline()
        self.server.told.append((self.path, body))
        return body

    def _create(self, body: bytes) -> dict:
        told = json.loads(body)
        name = f"{told['organization']}/{told['name']}"
        (self.server.hub / "models" / name).mkdir(parents=True)
        return {"url": f"{self.server.url}/{name}", "id": name}

    def _card(self, body: bytes) -> dict:
        """What the hub finds wrong with the card's front matter: nothing, or YAML's error."""
        yaml.safe_load(json.loads(body)["content"].split("---")[1])
        return {"errors": [], "warnings": []}

    def _main(self, body: bytes) -> dict:
        """Of the branch `main`: which files are large, or a commit of all of them."""
        if "/preupload/" not in self.path:
            return self._commit(body)
        names = [file["path"] for file in json.loads(body)["files"]]
        modes = {name: "lfs" if name.endswith(LARGE) else "regular" for name in names}
        return {"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]}

    def _batch(self, body: bytes) -> dict:
        """Where each large file is to be put."""
        wanted = [(file["oid"], file["size"]) for file in json.loads(body)["objects"]]
        doors = {digest: {"upload": {"href": f"{self.server.url}/put/{digest}"}} for digest, _ in wanted}
        return {"transfer": "basic", "objects": [{"oid": d, "size": s, "actions": doors[d]} for d, s in wanted]}

    def _commit(self, body: bytes) -> dict:
        repo = "/".join(self.path.split("/")[3:5])
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "header":
                continue
            large, told = line["key"] == "lfsFile", line["value"]
            data = self._stored(told["oid"]).read_bytes() if large else base64.b64decode(told["content"])
            (self.server.hub / "models" / repo / told["path"]).write_bytes(data)
        commit = self.server.commit
        return {"success": True, "commitOid": commit, "commitUrl": f"{self.server.url}/{repo}/commit/{commit}"}

    def _stored(self, digest: str) -> Path:
        folder = self.server.hub / "stored"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / digest
