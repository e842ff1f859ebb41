"""Caches: what cannot be kept is computed again next time; that costs time, and no result."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from pyarrow import Table, parquet

from aligngemini.core import atomic, fingerprint, paths
from aligngemini.core.progress import say_once

DIGEST = "aligngemini.rows"  # the attribute that holds the digest of a table: Parquet's own checksums leave out much


def write(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file with a digest of its rows, all or nothing, in a folder that is made if need be.

    The index is left out. Raises OSError.
    """
    rows = Table.from_pandas(table, preserve_index=False)
    digest = fingerprint.of_rows(rows.to_pandas())
    with atomic.replacing(path) as temporary:
        parquet.write_table(rows.replace_schema_metadata({**rows.schema.metadata, DIGEST: digest}), temporary)


def read(path: Path) -> pd.DataFrame | None:
    """Return what `write` wrote; None where there is no such file, or any of it has changed."""
    try:
        rows = parquet.read_table(path)
        table = rows.to_pandas()
        return table if rows.schema.metadata[DIGEST.encode()].decode() == fingerprint.of_rows(table) else None
    except Exception:  # of any kind: what a damaged file makes its readers raise is not theirs to choose
        return None


@contextmanager
def optional(folder: Path) -> Iterator[None]:
    """Let writing into the cache `folder` fail: a line says so once, and work goes on."""
    try:
        yield
    except OSError as error:
        why = f"{paths.short(folder)} cannot be written to ({error.strerror or error})"
        say_once(f"{why}: what is found out now will be found out again next time")
