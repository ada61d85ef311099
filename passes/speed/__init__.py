"""Rewrites that change how long a graph takes and not what it computes; each says what it was measured on."""
