"""The command line: options, console, one sentence for every failure."""
