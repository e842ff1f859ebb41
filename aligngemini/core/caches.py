"""Caches: what cannot be kept is found out again next time; that costs time, and no result."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pandas as pd

from aligngemini.core import atomic, fingerprint, paths
from aligngemini.core.progress import say

DIGEST = b"aligngemini.rows"  # Parquet's own checksums leave out the footer, which says where the rows lie


def write(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file with checksums and a digest, all or nothing, in a folder that is made if need be.

    The index is left out. Raises OSError.
    """
    from pyarrow import Table, parquet

    rows = Table.from_pandas(table, preserve_index=False)
    digest = fingerprint.of_rows(rows.to_pandas()).encode()
    with atomic.replacing(path) as temporary:
        sealed = rows.replace_schema_metadata({**rows.schema.metadata, DIGEST: digest})
        parquet.write_table(sealed, temporary, write_page_checksum=True)


def read(path: Path) -> pd.DataFrame | None:
    """Return what `write` wrote; None where there is no such file, or any of it has changed."""
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path, page_checksum_verification=True)
        table = rows.to_pandas()
        return table if rows.schema.metadata[DIGEST] == fingerprint.of_rows(table).encode() else None
    except Exception:  # of any kind: what a damaged file makes its readers raise is not theirs to choose
        return None


@contextmanager
def optional(folder: Path) -> Iterator[None]:
    """Let writing into the cache `folder` fail: the first failure is told, in one line, and work goes on."""
    try:
        yield
    except OSError as error:
        tell(folder, error.strerror or str(error))


@cache
def tell(folder: Path, why: str) -> None:
    """Say once that nothing can be kept in `folder`."""
    say(f"{paths.short(folder)} cannot be written to ({why}): what is found out now will be found out again next time")
