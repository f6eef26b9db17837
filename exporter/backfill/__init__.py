"""The vendors' history as OpenMetrics with timestamps, with the names and labels of live series.

A run has two steps, so that memory stays flat and a failed run can be continued: the history of
each target is spooled to disk (a line for each time span in which a series had one value), then
all spools are written out with the samples of each metric together, as OpenMetrics requires.

A day is written with the values at its end, from its first minute to its last: no vendor reports
hours. Where a vendor reports only what a plan had used when a period ended, the period's last 24
hours have that; the time before has what was fixed: allowed, start, expiry, price. The current day
is never written.

The last sample of each step is a second before its end: a query at a full hour or at midnight,
which is what dashboards send for long ranges, finds the value of what just ended, and the range
from midnight to midnight contains the samples of one day.
"""
