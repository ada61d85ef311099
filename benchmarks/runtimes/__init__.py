"""Files in the runtimes that people hand them to."""
