"""An error that no part of the workbook has a sentence for: one sentence all the same, its traceback in a file."""

import tempfile
import traceback

from aligngemini.core import redaction
from aligngemini.core.params import shown


def told(error: Exception) -> str:
    """Write the traceback of `error`, without secrets, into a file of its own; return what happened and where it is."""
    text = redaction.hidden("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile(
        "w", prefix="aligngemini-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(text)
    what = f"{type(error).__name__}: {shown(next(iter(str(error).splitlines()), ''))}"
    return f"this should not have happened: {what}. The traceback is in {file.name}: please report it"
