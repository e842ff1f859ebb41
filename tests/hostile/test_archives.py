"""Archives of hostile members: nothing outside their folder, no links, no more than they may hold, and no crash."""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligngemini.core import paths
from aligngemini.core.params import Refused
from aligngemini.fetch import archive
from aligngemini.images.header import Unreadable
from aligngemini.images.loaders import archives
from aligngemini.stream import items
from aligngemini.stream.listing import Entry
from tests.hostile import examples

NAMES = [
    "g/a.png", "g/1_fake/b.jpg", "g/a.png/c.png", "../out.png", "../../../out.png", "/tmp/hostile/out.png",
    "g/../../o.png",
    "..", ".", "", "/", "g//a.png", "./g/a.png", "g\\..\\o.png", "C:\\o.png", "C:o.png", "a\udcff.png",
    "x" * 300 + ".png",
    "g/a\nb.png", ".unpacked.json", ".fetched.parquet", ".hidden/a.png", "g/caption.txt", "g/no_suffix", "g/A.PNG",
]  # fmt: skip
TYPES = [tarfile.REGTYPE] * 5 + [
    tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE,
    tarfile.CONTTYPE,
    tarfile.AREGTYPE, b"Z",
]  # fmt: skip
CONTENT = [b"", b"\x89PNG\r\n\x1a\n", b"text", bytes(600), b"\xff\xd8\xff" + bytes(90)]
MEMBERS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(TYPES), st.sampled_from(NAMES), st.sampled_from(CONTENT)),
    max_size=6,
)
SIZES = st.one_of(st.just(-1), st.sampled_from([0, 5, 2**30 - 1, 2**30 + 1, 2**33 - 1, 2**62]))


@st.composite
def tars(draw) -> tuple[str, bytes]:
    """Suffix and bytes of a tar: of hostile members, one of which may tell another size than it has, and damaged."""
    form = draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT]))
    suffix = draw(st.sampled_from(["", "", "gz", "xz", "bz2"]))
    file = io.BytesIO()
    try:
        with tarfile.open(fileobj=file, mode=f"w:{suffix}", format=form) as tar:
            for name, kind, link, content in draw(MEMBERS):
                info, size = tarfile.TarInfo(name), draw(SIZES)
                info.type, info.linkname, info.size = kind, link, len(content) if size < 0 else size
                tar.fileobj.write(info.tobuf(form, "utf-8", "surrogateescape"))
                tar.fileobj.write(content + bytes(-len(content) % 512))
                tar.offset = tar.fileobj.tell()
    except ValueError:  # a name or size that this form of tar has no place for
        pass
    data = file.getvalue()
    return f".tar.{suffix}" if suffix else ".tar", draw(
        examples.damaged([data]) if draw(st.booleans()) else st.just(data)
    )


@st.composite
def zips(draw) -> bytes:
    """A zip of hostile members, perhaps damaged, or with other sizes in its directory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as pack:
        for name, _, _, content in draw(MEMBERS):
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            info.external_attr = draw(st.sampled_from([0, 0o100644, 0o120777, 0o040755, 0o020666])) << 16
            pack.writestr(info, content)
            pack.infolist()[-1].file_size = draw(st.sampled_from([len(content), len(content), 0, 2**31, 2**40]))
    return draw(examples.damaged([file.getvalue()])) if draw(st.booleans()) else file.getvalue()


@pytest.fixture(autouse=True)
def _built(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "built"))


def _checked(root: Path, inside: Path, before: dict[str, bytes]) -> None:
    """Nothing under `root` has changed but for what lies `inside`, where there are files and folders alone."""
    after = examples.tree(root)
    assert {name for name in after if before.get(name) != after[name]} <= {
        str(path.relative_to(root))
        for path in (inside, *inside.rglob("*"), *inside.parents)
        if path.is_relative_to(root)
    }
    assert before.keys() <= after.keys() and not any(path.is_symlink() for path in inside.rglob("*"))
    assert all(path.is_file() or path.is_dir() for path in inside.rglob("*"))
    assert not Path("/tmp/hostile").exists()


@pytest.mark.filterwarnings("ignore")
@examples.tried(40)
@given(tar=tars())
def test_shards_of_a_benchmark_are_unpacked_below_their_folder_or_say_why_not(tar):
    with tempfile.TemporaryDirectory() as place:
        pack = Path(place, "data", f"a{tar[0]}")
        pack.parent.mkdir()
        pack.write_bytes(tar[1])
        before = examples.tree(Path(place))
        with pytest.MonkeyPatch.context() as patch, examples.bounded():
            patch.setenv("ALIGNGEMINI_BUILT", str(Path(place, "built")))
            target, refused = archives.unpacked(pack, pack.parent)
            assert target.is_relative_to(paths.built())
        assert all(reason for _, reason in refused)
        _checked(Path(place), Path(place, "built"), before)


@pytest.mark.filterwarnings("ignore")
@examples.tried(40)
@given(pack=st.one_of(tars(), st.tuples(st.just(".zip"), zips())), top=st.sampled_from(["", "g"]))
def test_what_is_fetched_is_unpacked_below_its_folder_or_refused(pack, top):
    with tempfile.TemporaryDirectory() as place:
        file, folder = Path(place, f"a{pack[0]}"), Path(place, "images")
        file.write_bytes(pack[1])
        before = examples.tree(Path(place))
        with examples.bounded():
            _refused(lambda: archive.unpacked(file, folder, top))
        _checked(Path(place), folder, before)


@pytest.mark.filterwarnings("ignore")
@examples.tried(40)
@given(tar=tars())
def test_shards_of_a_stream_give_bytes_or_reasons(tmp_path, tar):
    file = tmp_path / f"a{tar[0]}"
    file.write_bytes(tar[1])
    with examples.bounded():
        pairs = [pair for chunk in items.chunks([Entry(str(file), "tar")]) for pair in chunk]
    assert all(isinstance(image, bytes | Unreadable) for _, image in pairs)


def test_a_member_that_says_it_is_larger_than_any_disk_is_not_waited_for(tmp_path):
    member = tarfile.TarInfo("a.jpg")
    member.size = 2**50
    file = tmp_path / "a.tar"
    file.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with examples.bounded():
        pairs = [pair for chunk in items.chunks([Entry(str(file), "tar")]) for pair in chunk]
    assert [str(image) for _, image in pairs] == [f"the shard cannot be read to its end (a member of {2**50} bytes)"]


@pytest.mark.parametrize("flags", [4, 8, 16, 4 + 8, 4 + 1])
def test_a_shard_that_ends_within_the_head_of_gzip_is_said_to_be_damaged(tmp_path, flags):
    file = tmp_path / "a.tgz"
    for end in range(2, 16):
        file.write_bytes((bytes([31, 139, 8, flags]) + bytes(6) + b"\x03\0abc\0")[:end])
        pairs = [pair for chunk in items.chunks([Entry(str(file), "tar")]) for pair in chunk]
        assert [str(image).partition(" (")[0] for _, image in pairs] == ["the shard cannot be read to its end"]


def _refused(function) -> None:
    """Call `function`, which may refuse."""
    try:
        function()
    except Refused as error:
        assert str(error)


def test_a_zip_with_a_nameless_member_gives_the_others(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("g/a.png", b"x")
        pack.writestr(zipfile.ZipInfo("b"), b"y")
        pack.infolist()[-1].filename = ""
    assert archive.unpacked(tmp_path / "a.zip", tmp_path / "images", "g") == {"g/a.png": ""}


def test_a_null_character_in_a_name_leads_out_of_an_archive():
    assert archives.problem("g/a\0b.png", True, 3) == archives.LEADS_OUT


def _many(count: int, mode: str = "w:gz") -> bytes:
    """A tar of so many images, each of three bytes."""
    file, head = io.BytesIO(), tarfile.TarInfo("a.png")
    with tarfile.open(fileobj=file, mode=mode) as tar:
        for head.name in (f"g/{number}.png" for number in range(count)):
            head.size = 3
            tar.addfile(head, io.BytesIO(b"abc"))
    return file.getvalue()


@pytest.fixture
def little(monkeypatch):
    """One megabyte may come out of a small archive."""
    monkeypatch.setattr(archives, "LARGEST", 2**20)


@pytest.mark.parametrize("count, fits", [(200, True), (2_000, False)])
def test_a_shard_of_many_small_members_gives_all_of_them_or_none(count, fits, tmp_path, little):
    pack = tmp_path / "data" / "a.tar.gz"
    pack.parent.mkdir()
    pack.write_bytes(_many(count))
    target, refused = archives.unpacked(pack, pack.parent)
    assert len(list(target.rglob("*.png"))) == (count if fits else 0)
    assert refused == [] if fits else "would swell to " in refused[0][1] and "delete it" in refused[0][1]


def test_what_is_fetched_with_many_small_members_is_refused(tmp_path, little):
    (tmp_path / "a.tar.gz").write_bytes(_many(2_000))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as pack:
        for number in range(20):
            pack.writestr(f"g/{number}.png", bytes(100_000))
    for name, most in {"a.tar.gz": 400, "a.zip": 0}.items():
        with pytest.raises(Refused, match=f"{name}: it would swell to . MB or more in .* files or more"):
            archive.unpacked(tmp_path / name, tmp_path / f"of {name}", "g")
        assert len(list(tmp_path.glob(f"of {name}/**/*.png"))) <= most


def test_a_table_that_repeats_one_image_without_end_is_not_unpacked(tmp_path, little):
    image = {"bytes": b"\x89PNG" + bytes(100_000), "path": "a.png"}
    columns = {"image": [image] * 50, "generator": ["g"] * 50, "uid": [str(number) for number in range(50)]}
    sizes = {"labels": pa.nulls(50, pa.list_(pa.null())), "width": [8] * 50, "height": [8] * 50}
    pack = tmp_path / "data" / "a.parquet"
    pack.parent.mkdir()
    pq.write_table(pa.table(columns | sizes), pack)
    target, refused = archives.unpacked(pack, pack.parent)
    assert pack.stat().st_size < 150_000 and "would swell" in refused[0][1] and not list(target.rglob("*.png"))
