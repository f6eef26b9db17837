"""What the vendors share: parsing, allowances, discovery, metric helpers."""
