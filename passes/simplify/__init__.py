"""Exact simplifications by algebra alone: constants, frozen statistics, one-slope PReLU, norms of tokens, pools."""
