"""What formulas of statistics are written in."""
