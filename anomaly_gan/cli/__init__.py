"""The command line. It says so, in one line, where a stranger hides one of our packages."""

import sys

from ..core.neighbours import stranger

if (_told := stranger()) is not None:
    print(f"error: {_told}", file=sys.stderr)  # noqa: T201
    sys.exit(4)
