"""What the texts of a list `branch_runs` name: a kind with a notebook is followed by what selects one of its runs, one
that is made from a file by the file, one with options by these, and any other stands alone.
"""

import difflib
from collections import Counter
from typing import Any, NamedTuple

from aligngemini.branches import options, registry
from aligngemini.branches.registry import KINDS, Kind
from aligngemini.core.params import Refused, param, shown

FIELD = "branch_runs"


class Choice(NamedTuple):
    """A branch that is named: its kind, the selector of its run, its file or its options, what the manifest calls it as
    an input ("vlm", or "vlm 1" where there are several of a kind), and its name, which heads its columns.
    """

    kind: Kind
    rest: str
    label: str
    name: str
    options: Any = None  # of a kind that has some: branches.options.Options

    @property
    def supervision(self) -> str:
        """The task of the images that it is made from: its option `train`, if it has one, else that of its kind; "" if
        that is not known.
        """
        train = getattr(self.options, "train", self.kind.supervision)
        return train if train in ("semantic", "pixel", "union") else ""


def read(texts: list[str], runs: bool = True) -> list[Choice]:
    """The branches that `texts` name, in order. Raises Refused for an unknown kind, or what its kind cannot have, and
    where two would have the same name; `runs`: also where none has a run.
    """
    parts = [_parts(text) for text in texts]
    several, seen, found = Counter(kind.name for kind, _ in parts), Counter(), []
    for kind, rest in parts:
        seen[kind.name] += 1
        label = f"{kind.name} {seen[kind.name]}" if kind.notebook and several[kind.name] > 1 else kind.name
        given = options.read(kind.name, rest) if kind.options else None
        found.append(Choice(kind, rest, label, _name(kind, rest, label, given), given))
    if runs and not any(each.kind.notebook for each in found):
        kinds = " or ".join(f'"{kind.name} latest"' for kind in KINDS.values() if kind.notebook)
        raise Refused(f"{FIELD} must name a run, such as {kinds}: the test images are those of its data")
    _check_names(found)
    return found


def _name(kind: Kind, rest: str, label: str, given: Any) -> str:
    if kind.file:
        return registry.own_name(rest)
    name = given.name if given else ""
    if name and registry.own_name(name) != name:
        raise Refused(f"{FIELD}: name={name} is taken or not plain: {registry.own_name(name)} would do")
    return name or label.replace(" ", "_")


def split(text: str) -> tuple[str, str]:
    """The name of a kind, and the rest, which any white space parts from it; "" for what is not there."""
    word, rest, *_ = [*text.split(maxsplit=1), "", ""]
    return word, rest.strip()


def _parts(text: str) -> tuple[Kind, str]:
    word, rest = split(text)
    if word not in KINDS:
        near = difflib.get_close_matches(word.lower(), KINDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"begin with one of {', '.join(KINDS)}"
        raise Refused(f"{FIELD}: there is no branch {shown(word)}: {hint}")
    kind = KINDS[word]
    if kind.notebook and not rest:
        raise Refused(f'{FIELD}: {word} needs a run of {kind.notebook}: write "{word} latest"')
    if kind.file and not rest:
        raise Refused(f'{FIELD}: {word} needs a file: write "{word} FILE"')
    if rest and not kind.notebook and not kind.file and not kind.options:
        raise Refused(f"{FIELD}: {word} stands alone, got {shown(text)}")
    return kind, rest


def _check_names(found: list[Choice]) -> None:
    twice = [name for name, count in Counter(each.name for each in found).items() if count > 1]
    if twice:
        raise Refused(
            f"{FIELD}: two branches would be called {twice[0]}: name it once, rename a file, or give name=NAME"
        )


def field(usual: list[str], text: str, every: bool) -> Any:
    """Return the field `branch_runs` of parameters. A plan puts its own runs there where nothing is said: `every` one,
    or the first of each kind.
    """
    return param(usual, text, filled=True, branches="every" if every else "first", read=read)
