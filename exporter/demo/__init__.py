"""The vendor APIs, simulated, and the demo that polls them."""
