"""Blocks of code that one thread is inside and another is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ThreadBlock(threading.local):
    """Tells whether the thread that asks is inside ``with block.entered():``; one thread may be inside repeatedly."""

    depth = 0

    def __bool__(self) -> bool:
        return self.depth > 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """While active, the block is true in this thread."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
