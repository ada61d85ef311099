"""Sizes an image may have, and the sizes of what comes back."""
