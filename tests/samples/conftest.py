"""The samples are scripts beside each other: their folder is on the path when one runs, and so it is here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "samples"))
