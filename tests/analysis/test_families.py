"""Which violations are found: shares counted by hand, from subsets where nothing but meaning is wrong."""

import pandas as pd
import pytest

from aligngemini.analysis import figures, tables


def _verdicts(title: str, called: dict[str, list[int]], axis: str = "semantic") -> pd.DataFrame:
    """Verdicts of one model on pictures of each family; "" are real."""
    rows = [(family, verdict) for family, verdicts in called.items() for verdict in verdicts]
    frame = pd.DataFrame(rows, columns=["family", "verdict"])
    frame["label"] = (frame.family != "").astype(int)
    frame["axis"] = frame.label.map({0: "none", 1: axis})
    told = {"title": title, "model": "vlm", "supervision": "semantic", "subset": axis}
    return frame.assign(image_id=[f"{axis}{i}" for i in range(len(frame))], **told)


def test_every_family_has_its_share_and_reals_theirs():
    found = tables.families(_verdicts("VLM", {"": [0, 0, 0, 1], "count": [1, 1, 0], "shadow": [0, 0]}))
    shares = found.set_index("family").called_fake
    assert shares.to_dict() == pytest.approx({"none": 0.25, "count": 2 / 3, "shadow": 0})
    assert found.family.tolist() == ["none", "shadow", "count"], "reals first, then from what is found least"
    assert (found.low <= found.called_fake).all() and (found.called_fake <= found.high).all()


def test_pictures_with_something_wrong_in_their_pixels_do_not_count():
    both = _verdicts("VLM", {"": [1], "count": [1, 1, 1]}, axis="both")
    found = tables.families(pd.concat([_verdicts("VLM", {"": [0], "count": [0]}), both]))
    assert found.set_index("family").n.to_dict() == {"none": 1, "count": 1}


def test_fakes_without_a_known_violation_give_no_table(verdicts):
    assert len(tables.families(verdicts.assign(family=""))) == 0
    assert len(tables.families(verdicts[verdicts.subset == "pixel"])) == 0


def test_the_figure_shows_every_model_and_family(verdicts):
    found = tables.families(verdicts)
    figure = figures.families(found)
    assert [trace.name for trace in figure.data] == found.title.unique().tolist()
    places = list(figure.data[0].y)
    assert places[-1] == "no violation" and set(places[:-1]) == {"count", "shadow", "floating"}
    first = found[found.title == figure.data[0].name].set_index("family").called_fake
    assert list(figure.data[0].x)[:-1] == [first[name] for name in places[:-1]]
    hollow = [trace.marker.symbol.endswith("-open") for trace in figure.data]
    assert hollow == [False, True, False, True, False]


def test_the_fakes_of_a_generator_are_counted_once_and_those_of_unknown_ones_left_out():
    verdicts = _verdicts("VLM", {"": [0, 1], "count": [1, 1, 0], "shadow": [1]}, axis="both")
    verdicts["generator"] = ["", "", "vae", "vae", "vae", ""]
    found = tables.generators(pd.concat([verdicts, verdicts.assign(subset="again")]))
    assert found.set_index("generator").n.to_dict() == {"none": 2, "vae": 3}
    assert found.set_index("generator").called_fake.to_dict() == pytest.approx({"none": 0.5, "vae": 2 / 3})
    assert list(figures.families(found, "generator").data[0].y) == ["vae", "no generator"]
