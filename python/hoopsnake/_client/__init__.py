"""The HTTP client: what people write in front of the engine's half."""
