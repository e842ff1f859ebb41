"""Images of one's own for an explorer: uploaded, or named by a path of a file or folder."""

import ipywidgets
import traitlets

from aligngemini.explore import show


class Given(ipywidgets.VBox):
    """An upload and a line for a path; `value` is what was given last: a path (str), or (name, bytes) of each file."""

    value = traitlets.List()

    def __init__(self, several: bool = False) -> None:
        look = ipywidgets.Layout(width="190px", margin="2px 0 2px 92px")
        says = "upload images" if several else "upload an image"
        self.upload = ipywidgets.FileUpload(
            accept="image/*", multiple=several, description=says, tooltip=says, layout=look
        )
        hint = "a file or a folder, then Enter" if several else "a file, then Enter"
        self.path = ipywidgets.Text(
            description="or a path", placeholder=hint, tooltip=f"path of {hint}", continuous_update=False, **show.NAMED
        )
        super().__init__([self.upload, self.path])
        self.upload.observe(lambda change: self._take(change["new"]), "value")
        self.path.observe(lambda change: self._name(change["new"].strip()), "value")

    def _take(self, files) -> None:
        if files:
            self.value = [(file["name"], bytes(file["content"])) for file in files]

    def _name(self, path: str) -> None:
        if path:
            self.value = [path]


def source(given) -> str | bytes:
    """The path or the bytes of what was given."""
    return given if isinstance(given, str) else given[1]
