"""Why an image is left out, while the work goes on with the others."""

from __future__ import annotations

from tlcconvert.shown_name import shown_text


class UnusableImage(Exception):
    """One image cannot be used; the message is a sentence that names it and the reason."""

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"{name} {shown_text(str(reason)).rstrip('.')}.")
