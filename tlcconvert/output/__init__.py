"""From a conversion to files: all or none."""
