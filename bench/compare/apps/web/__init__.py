"""One small shop, written with each web framework in its own best idiom."""
