"""What a reason is about, and whether it is true: in the small world, where the truth about every image is known."""

import re

import pandas as pd

# What a sentence of world.captions is about, the first that fits; tests hold that every sentence is recognised.
PATTERNS = {
    "reflection": r"reflection",
    "shadow": r"shadow",
    "light": r"\bsuns?\b",
    "number": r"\bsign\b",
    "placement": r"^The .+ of the ",
    "orientation": r"\b(upright|upside down)\b",
    "support": r"\b(hovers above|stands on)\b",
    "scale": r"\b(larger|smaller) than\b",
    "context": r" is at the ",
    "count": r" has (no|one|two|three|four|five|six) ",
    "colour": r"^The \w+ is \w+\.$",
}
TRUE, FALSE, OTHER, NONE = "true", "false", "about something else", "about nothing known"


def family(sentence: str) -> str:
    """The family of violation that a sentence concerns, "" if none is recognised."""
    return next((name for name, pattern in PATTERNS.items() if re.search(pattern, sentence)), "")


def outcome(said: str, truth: str) -> str:
    """How an explanation relates to the true sentence about its image: the same, a false one about the same thing, or
    about something else, which is not checked.
    """
    if said.rstrip(".") == truth.rstrip("."):
        return TRUE
    about = family(said)
    if not about:
        return NONE
    return FALSE if about == family(truth) else OTHER


def table(images: pd.DataFrame, reasons) -> pd.DataFrame:
    """Shares of outcomes for images with a known truth (`remark`) and the reasons given for them: a row for plausible
    and one for violated images.
    """
    outcomes = [outcome(said, truth) for said, truth in zip(reasons, images.remark, strict=True)]
    kinds = images.label.map({0: "plausible", 1: "violated"}).rename("image")
    shares = pd.crosstab(kinds.to_numpy(), outcomes, normalize="index", rownames=["image"], colnames=["reason"])
    return shares.reindex(columns=[TRUE, FALSE, OTHER, NONE], fill_value=0.0).assign(n=kinds.value_counts())
