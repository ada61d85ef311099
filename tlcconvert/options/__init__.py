"""What the caller of a conversion chose: every option is one field, which has all that is said of it."""

from tlcconvert.options.options import Options
from tlcconvert.options.routing_options import RoutingOptions
from tlcconvert.options.sizes_as_text import Size

__all__ = ["Options", "RoutingOptions", "Size"]
