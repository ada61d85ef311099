"""From a file to a network, without running what is in it."""

from tlcconvert.load.network_file import Network, load_factory, load_network

__all__ = ["Network", "load_factory", "load_network"]
