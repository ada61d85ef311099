"""From a file to a network, without running what is in it."""

from tlcconvert.load.network_file import load_factory, load_network
from tlcconvert.network.network import Network

__all__ = ["Network", "load_factory", "load_network"]
