"""The command line: command, console, one sentence for every failure."""
