"""The parameters of a notebook as tables of type, value and help."""

from typing import Any

import pandas as pd

from aligngemini.core.params import ADVANCED, Params, main_names, rules, spell


def rows(config: Params) -> pd.DataFrame:
    """Return one row for each parameter: name, value, type, place ("cell" or "advanced"), and help with its choices."""
    cls, main = type(config), main_names(type(config))
    lines = [
        (name, getattr(config, name), spell(field.annotation), "cell" if name in main else ADVANCED, _help(cls, name))
        for name, field in sorted(cls.model_fields.items(), key=lambda item: item[0] not in main)
    ]
    return pd.DataFrame(lines, columns=["parameter", "value", "type", "place", "help"])


def _help(cls: type[Params], name: str) -> str:
    text, choices = cls.model_fields[name].description or "", rules(cls)[name]["choices"] or ()
    silent = all(str(choice) in text for choice in choices)
    return text if silent else f"{text} (one of {', '.join(map(repr, choices))})"


def show(config: Params) -> Any:
    """Return the table of the parameters of a notebook, folded, for the end of a cell."""
    from IPython.display import HTML

    table, usual = rows(config), rows(type(config)())
    changed = (table.value != usual.value).sum()
    left = table.style.hide(axis="index").format(escape="html").set_properties(**{"text-align": "left"})
    return HTML(f"<details><summary>All {len(table)} parameters, {changed} changed</summary>{left.to_html()}</details>")


def text(cls: type[Params]) -> str:
    """Return the parameters of a notebook and their defaults as text: two lines for each."""
    lines = []
    for row in rows(cls()).itertuples():
        lines += [f"{row.parameter}: {row.type} = {row.value!r}", f"    {row.help}"]
    return "\n".join(lines)
