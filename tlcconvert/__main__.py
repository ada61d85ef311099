"""The command ``tlcconvert``: prepared for signals and broken streams before anything large is imported."""

from __future__ import annotations

import os
import sys
import warnings

from tlcconvert.cli.standard_streams import secure_standard_streams
from tlcconvert.machine.termination import (
    exit_code,
    ignore_signals,
    leave,
    obey_signals,
    sentence,
    was_stopped,
)


def main() -> None:
    """Runs the command line in ``sys.argv`` and exits."""
    try:
        obey_signals()
        secure_standard_streams()
        # What libraries deprecate is nothing the person at the terminal can act on.
        warnings.simplefilter("ignore")
        # onnxruntime reports to its makers and keeps a file in the temporary folder, unless told not to.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        from tlcconvert.cli.subcommands import run

        run(sys.argv[1:])
    except SystemExit:
        if was_stopped():
            leave(exit_code())
        ignore_signals()
        raise
    except BaseException:
        if not was_stopped():
            raise
        print(sentence(), file=sys.stderr)
        leave(exit_code())


if __name__ == "__main__":
    main()
