"""Reports of past usage: rows, totals, and the formats in which they are written."""
