"""The vendors' past as OpenMetrics with timestamps, under the names and labels of the live series.

In two steps, so that memory stays flat and a run can be continued: what each target's vendor tells
is spooled (a line for each stretch of time in which a series had one value), then all spools are
written out, the samples of each metric together, as OpenMetrics wants it.

A past day is written as it was when it ended, from its first minute to its last: no vendor reports
hours. Where a vendor reports only what a plan had used when a period ended, the period's last 24
hours have that; the time before has what was fixed: allowed, start, expiry, price. The current day
is never written.

Samples stand at the end of each step, a second before it: a query for a whole hour or for
midnight, which is what dashboards send for long ranges, finds the value of what just ended, and
the range from midnight to midnight holds one day's samples alone.
"""
