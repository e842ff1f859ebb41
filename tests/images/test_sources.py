"""Sources: no duplicates, nothing of the tests in training, every refusal with a reason."""

import pandas as pd
import pytest

from aligngemini.core.params import Refused
from aligngemini.images import sources


@pytest.fixture
def fill(tmp_path, picture, saved):
    """Write images numbered by content into a folder: fill("photos", 1, 2, 3) -> its path."""

    def make(folder: str, *contents: int) -> str:
        for number in contents:
            path = tmp_path / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(saved(picture(128, 120, number), "PNG"))
        return str(tmp_path / folder.split("/")[0])

    return make


def reasons(rows: pd.DataFrame, role: str) -> dict[str, str]:
    mine = rows[rows["role"] == role]
    return {path.rsplit("/", 1)[1]: reason for path, reason in zip(mine["path"], mine["reason"], strict=True)}


def test_world_alone_lists_nothing(small):
    assert sources.collect(small()).empty


def test_duplicates_are_struck_and_name_their_twin(small, fill, tmp_path):
    root = fill("photos", 1, 2)
    (tmp_path / "photos" / "copy.png").write_bytes((tmp_path / "photos" / "1.png").read_bytes())
    said = reasons(sources.collect(small(photos=root)), "photos")
    assert said["1.png"] == "" and said["copy.png"].endswith("photos/1.png") and said["2.png"] == ""


def test_test_images_never_train(small, fill):
    fill("bench/gpt4o/0_real", 1, 5)
    bench = fill("bench/gpt4o/1_fake", 6)
    rows = sources.collect(small(photos=fill("photos", 1, 2), test=["world", bench]))
    assert reasons(rows, "photos") == {"1.png": "stands in the test set bench", "2.png": ""}
    assert set(reasons(rows, "test").values()) == {""}


def test_content_of_both_classes_is_struck_on_both_sides(small, fill):
    fill("bench/g/0_real", 1)
    rows = sources.collect(
        small(plausible=fill("a", 1, 2, 3), implausible=fill("b", 3, 4), test=[fill("bench/g/1_fake", 1, 9)])
    )
    assert "reals and among the fakes" in reasons(rows, "test")["1.png"] and reasons(rows, "test")["9.png"] == ""
    assert "reals and among the fakes" in reasons(rows, "plausible")["3.png"]
    assert "reals and among the fakes" in reasons(rows, "implausible")["3.png"]
    assert reasons(rows, "plausible")["2.png"] == ""


def test_a_photograph_serves_one_pure_set_only(small, fill):
    same = fill("photos", *range(12))
    rows = sources.collect(small(plausible=same, implausible=fill("fakes", 20), photos=same))
    semantic, pixel = reasons(rows, "plausible"), reasons(rows, "photos")
    assert all((semantic[name] == "") != (pixel[name] == "") for name in pixel)
    assert 0 < sum(reason == "" for reason in pixel.values()) < 12


def test_a_folder_inside_another_role_is_read_for_both(small, fill):
    fill("bench/g/0_real", 1)
    outer = fill("bench/g/1_fake", 2)
    rows = sources.collect(small(photos=f"{outer}/g/0_real", test=[outer]))
    assert reasons(rows, "photos") == {"1.png": "stands in the test set bench"}
    assert reasons(rows, "test") == {"1.png": "", "2.png": ""}


def test_a_labelled_tree_gives_a_role_only_its_class(small, fill):
    fill("bench/g/0_real", 1)
    rows = sources.collect(small(photos=fill("bench/g/1_fake", 2)))
    assert reasons(rows, "photos") == {"1.png": "", "2.png": "stands in a folder of the other class"}


def test_equal_subset_names_of_two_benchmarks_stay_apart(small, fill):
    fill("one/g/0_real", 1)
    fill("two/g/0_real", 2)
    rows = sources.collect(small(test=[fill("one/h/1_fake", 3), fill("two/pixel/1_fake", 4), "world"]))
    assert sorted(set(rows["subset"])) == ["h", "one/g", "two/g", "two/pixel"]


def test_the_place_of_an_image_does_not_depend_on_its_neighbours():
    rows = pd.DataFrame({"image_id": [f"{i:x}" for i in range(40)]})
    parts = sources.divide(rows, 10, 5, "photos")
    assert [len(parts[s]) for s in ("train", "validation")] == [10, 5]
    assert not set(parts["train"]["image_id"]) & set(parts["validation"]["image_id"])
    fewer = rows[~rows["image_id"].isin(parts["train"]["image_id"])]
    assert (
        sources.divide(fewer, 10, 5, "x")["validation"]["image_id"].tolist() == parts["validation"]["image_id"].tolist()
    )
    assert len(sources.divide(rows, 0, 5, "photos")["train"]) == 35


def test_the_joint_set_takes_what_follows_and_changes_no_other_place():
    rows = pd.DataFrame({"image_id": [f"{i:x}" for i in range(40)]})
    before, parts = (sources.divide(rows, 10, 5, "photos", joint) for joint in (0, 8))
    assert all(parts[split].equals(before[split]) for split in ("train", "validation")) and before["joint"].empty
    names = [set(part["image_id"]) for part in parts.values()]
    assert [len(each) for each in names] == [10, 5, 8] and len(set.union(*names)) == 23
    assert len(sources.divide(rows, 30, 5, "photos", 8)["joint"]) == 5, "what is left"
    assert len(sources.divide(rows, 35, 5, "photos", 8)["joint"]) == 0


def test_training_on_all_leaves_the_joint_set_a_fifth_at_most():
    rows = pd.DataFrame({"image_id": [f"{i:x}" for i in range(40)]})
    for joint, train in ((3, 32), (100, 28)):
        parts = sources.divide(rows, 0, 5, "photos", joint)
        assert (len(parts["train"]), len(parts["joint"])) == (train, 35 - train)


def test_too_few_for_validation_are_refused():
    with pytest.raises(Refused, match="photos has 3 usable images and 5"):
        sources.divide(pd.DataFrame({"image_id": list("abc")}), 10, 5, "photos")


def test_two_folders_of_one_name_are_two_benchmarks(small, fill):
    texts = [f"{fill(f'{place}/web/h/1_fake', number)}/web" for place, number in (("one", 3), ("two", 4))]
    rows = sources.collect(small(test=[*texts, fill("bench/g/1_fake", 5), "world"]))
    assert set(rows["benchmark"]) == {*texts, "bench"} and rows["subset"].nunique() == 3


def test_a_folder_called_world_is_not_the_world(small, fill):
    place = fill("my/world/g/1_fake", 3) + "/world"
    assert set(sources.collect(small(test=["world", place]))["benchmark"]) == {place}
