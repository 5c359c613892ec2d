"""Side-by-side measurements of hoopsnake and its peers: ``python -m bench.compare``."""
