"""Image files: found, read at their full depth, and made what a network takes."""
