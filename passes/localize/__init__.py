"""Global statistics become local ones; the pipeline's one step that changes what the network computes."""

from passes.localize.audit import audit
from passes.localize.localize import Localized, LocalSite, localize
from passes.window_domain.window import FeatureMap, Training

__all__ = ["FeatureMap", "LocalSite", "Localized", "Training", "audit", "localize"]
