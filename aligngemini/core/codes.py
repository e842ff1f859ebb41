"""What the command line exits with."""

DONE, FAILED, REFUSED, STOPPED = 0, 1, 2, 130
FOUND = 3  # an audit, a benchmark or `detect` is done, but something was found or left out
CONTINUES, ANEW = "the same command continues where it was", "the same command begins anew"  # once it was stopped
