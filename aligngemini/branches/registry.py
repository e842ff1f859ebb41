"""The detectors that the workbook knows. To add one is to write its file and its line here."""

import re
import unicodedata
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from aligngemini.core import adapters, stages
from aligngemini.core.params import Refused, said, shown


class Kind(NamedTuple):
    """A detector: its name, its title and colour in tables and figures, the supervision that it is made for ("": not
    known), the notebook that trains it ("": none), its class (see branch.Branch), loaded when it is needed, whether
    it is made from a file, which then names it, which the class can `check`, and of which it `knows` the images, and
    the class of its options (see branches.options), "" for none.
    """

    name: str
    title: str
    colour: str
    supervision: str
    notebook: str
    code: str
    file: bool = False
    options: str = ""

    def load(self, code: str = "") -> type:
        """The class of the detector, or the one that `code` names; loads the libraries that it needs. Raises Refused
        where it is not there.
        """
        try:
            return resolve_name(code or self.code)
        except (ImportError, AttributeError) as error:
            advice = "correct its line in branches/registry.py, or what it imports"
            raise Refused(f"the branch {self.name} has no {code or self.code} ({said(error)}): {advice}") from error


def _peer(name: str, title: str, colour: str, code: str, options="ReconstructionOptions", supervision="pixel") -> Kind:
    """A detector of notebook 06."""
    peers = "aligngemini.peers"
    return Kind(name, title, colour, supervision, "", f"{peers}.{code}", options=f"{peers}.params:{options}")


_SERVED = "aligngemini.vlm.served"
_KINDS = (
    Kind("vlm", "VLM", "#AA4499", "semantic", stages.VLM, "aligngemini.vlm.branch:VLMBranch"),
    Kind("expert", "expert", "#009E73", "pixel", stages.EXPERT, "aligngemini.expert.branch:ExpertBranch"),
    Kind("scores", "scores of a file", "", "", "", "aligngemini.branches.scores_file:ScoresFile", file=True),
    Kind("frequency", "frequency baseline", "#CC6677", "pixel", "", "aligngemini.branches.frequency:Frequency"),
    _peer("rigid", "RIGID", "#332288", "invariance:Rigid", "FrozenOptions"),
    _peer("blur", "Contrastive Blur", "#88CCEE", "invariance:ContrastiveBlur", "FrozenOptions"),
    _peer("minder", "MINDER", "#44AA99", "invariance:Minder", "FrozenOptions"),
    _peer("reconstruction", "reconstruction error", "#117733", "autoencoded:ReconstructionError"),
    _peer("self_reference", "self-reference", "#999933", "autoencoded:SelfReference"),
    _peer("effort", "Effort", "#AA7744", "effort:Effort", "EffortOptions"),
    _peer("mirror", "MIRROR", "#EE3377", "mirror:Mirror", "MirrorOptions"),
    _peer("memory", "MIRROR without training", "#EE99AA", "mirror:Unexplained", "MirrorOptions"),
    _peer("gamma", "GAMMA", "#DDAA33", "gamma:Gamma", "GammaOptions"),
    _peer("probe", "linear probe", "#DDCC77", "probe:Probe", "ProbeOptions", ""),
    _peer("classifier", "hub classifier", "#882255", "own:Classifier", "ClassifierOptions", ""),
    _peer("callable", "function", "#661100", "own:Callable", "CallableOptions", ""),
    Kind("served", "served VLM", "#BB5566", "semantic", "", f"{_SERVED}:Served", options=f"{_SERVED}:ServedOptions"),
)
USE = """from aligngemini.branches import registry
from aligngemini.images import decode

branch = registry.saved("{kind}", "this folder")  # or its name on the hub
branch.p_fake([branch.prepare(decode.read("picture.jpg").rgb)])"""  # on the card of an adapter
RULES = ("or", "and", "max", "mean", "odds", "majority", "or_budget", "learned")  # those of fusion/rules.py
TAKEN = ("fusion", "fused", "known", "constant", *RULES)  # no branch's: they head other columns, or name other folders
LONGEST = 40  # letters of a name
KINDS = {kind.name: kind for kind in _KINDS}
NUMBERED = re.compile(f"({'|'.join(kind.name for kind in _KINDS if kind.notebook)})_([0-9]+)")  # one of several runs


def kind(name: str) -> Kind:
    """The kind called `name`. Raises Refused with all names if there is none."""
    if name not in KINDS:
        raise Refused(f"there is no branch {shown(name)}: choose one of {', '.join(KINDS)}")
    return KINDS[name]


def saved(name: str, adapter: str | Path):
    """The branch of a trained kind from a saved adapter, a folder or a name on the hub, on the base that its own facts
    name. Raises Refused as `adapters.home` and the branch's `load` do.
    """
    folder, code = adapters.home(adapter), kind(name).load()
    facts = adapters.facts(folder)
    return code.load({fact: facts[fact] for fact in code.FACTS if fact in facts}, folder, name)


def of_notebook(notebook: str) -> Kind | None:
    """The kind that a notebook trains, None if it trains none."""
    return next((each for each in KINDS.values() if each.notebook == notebook), None)


def title(name: str) -> str:
    """What tables and figures call the branch of that name: "VLM", "VLM 2" for vlm_2; the name itself if it is
    somebody's own.
    """
    if numbered := NUMBERED.fullmatch(name):
        return f"{KINDS[numbered[1]].title} {numbered[2]}"
    return KINDS[name].title if name in KINDS else name


def called(name: str) -> str:
    """What sentences call it: "the VLM", or its title alone if it is one of several, or somebody's own."""
    return f"the {KINDS[name].title}" if name in KINDS else title(name)


def own_name(file: str) -> str:
    """The name of a branch of one's own from its file: letters a to z, digits and _, and no name that is taken."""
    plain = unicodedata.normalize("NFKD", Path(file).stem).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST]
    taken = slug in (*KINDS, *TAKEN) or NUMBERED.fullmatch(slug)
    return f"file_{slug}".rstrip("_") if taken or not slug[:1].isalpha() else slug
