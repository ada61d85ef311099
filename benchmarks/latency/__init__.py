"""How long files take to run."""
