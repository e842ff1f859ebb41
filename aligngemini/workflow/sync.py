"""Write the parameter cells of the notebooks and the recipes of the scale mini from the parameters: `make sync`."""

import json

from aligngemini.core import params, paths, recipes
from aligngemini.core.stages import STAGES, Stage


def notebook(stage: Stage) -> str:
    """Return the notebook of a stage as text, with the parameter cell that its class of parameters asks for."""
    book = json.loads(paths.notebook(stage.name).read_text(encoding="utf-8"))
    (cell,) = (cell for cell in book["cells"] if "parameters" in cell["metadata"].get("tags", []))
    cell["source"] = params.cell(stage.params).splitlines(keepends=True)
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def recipe(stage: Stage) -> str:
    """Return the recipe of a stage at scale mini as text: every parameter with its default."""
    values = stage.params().model_dump().items()
    return "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in values)


if __name__ == "__main__":
    for stage in STAGES.values():
        files = {paths.notebook(stage.name): notebook(stage)}
        files[recipes.folder() / "mini" / f"{stage.name}.yaml"] = recipe(stage)
        for path, text in files.items():
            if path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                print(f"written: {paths.short(path)}")
