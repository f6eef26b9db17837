"""The style sheet of the pages, and headers that allow them nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

COLOURS: Final = {  # light, dark
    "page": ("#ffffff", "#11161d"),
    "panel": ("#f4f6f8", "#1a212b"),
    "text": ("#1b2430", "#e8edf2"),
    "quiet": ("#4d5967", "#aab5c1"),
    "line": ("#7b8794", "#6f7c8a"),
    "link": ("#0b57b0", "#7db7ff"),
    "fine": ("#1a7f37", "#4cc26a"),
    "warning": ("#8f5500", "#f0b03f"),
    "critical": ("#b3261e", "#ff8a80"),
    "use": ("#0b57b0", "#7db7ff"),
    "weekend": ("#5b8fd0", "#4a7bb8"),
    "coming": ("#cfdff2", "#2f5078"),
    "grid": ("#dfe4e9", "#2c3643"),
}
_LIGHT: Final = "".join(f"--{name}:{light};" for name, (light, _) in COLOURS.items())
_DARK: Final = "".join(f"--{name}:{dark};" for name, (_, dark) in COLOURS.items())
STYLE: Final = f"""
:root{{{_LIGHT}color-scheme:light dark}}
@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}
*{{box-sizing:border-box;margin:0;padding:0}}
body{{font:1rem/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);
max-width:72rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}}
header{{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1rem}}
h1{{font-size:1.4rem}}
h2{{font-size:1.05rem}}
h3{{font-size:.9rem;font-weight:600}}
ul,ol{{list-style:none}}
time{{white-space:nowrap}}
nav ul{{display:flex;flex-wrap:wrap;gap:.25rem 1rem}}
a{{color:var(--link)}}
:focus-visible{{outline:3px solid var(--link);outline-offset:2px}}
form{{display:flex;flex-wrap:wrap;align-items:end;gap:.75rem;margin:1rem 0;padding:.75rem;
background:var(--panel);border-radius:.5rem}}
label{{display:grid;font-size:.9rem;max-width:100%}}
input,select,button{{font:inherit;color:inherit;background:var(--page);
border:1px solid var(--line);border-radius:.3rem;padding:.35rem .6rem;min-height:2.5rem;
max-width:100%}}
form a{{padding:.5rem 0}}
nav.counts{{margin-top:1rem}}
.counts li:not(:last-child)::after{{content:" ·"}}
.counts ul{{gap:.25rem .4rem}}
.counts [aria-current]{{font-weight:700}}
.summary{{margin:.5rem 0}}
.quiet{{color:var(--quiet);font-size:.9rem}}
.target{{display:grid;grid-template-columns:minmax(0,20rem) minmax(0,1fr);gap:.5rem 1.5rem;
padding:.9rem 0;border-top:1px solid var(--line)}}
.what{{display:grid;gap:.75rem;align-content:start}}
.state{{border:1px solid;border-radius:1rem;padding:0 .6rem;font-size:.85rem}}
.up,.fine{{color:var(--fine)}}
.waiting{{color:var(--quiet)}}
.warning,.mark,.low,.early{{color:var(--warning)}}
.down,.stale,.used_up,.error,.critical{{color:var(--critical)}}
.error{{border-left:4px solid;padding-left:.6rem}}
.error a{{white-space:nowrap}}
svg[role=meter]{{display:block;width:100%;height:.8rem;margin:.2rem 0;fill:currentColor;
background:var(--panel);border:1px solid var(--line);border-radius:.4rem}}
.spark{{width:9rem;height:1.5rem;fill:var(--use);border-bottom:1px solid var(--line)}}
figure{{margin:.6rem 1rem .6rem 3rem}}
.chart{{display:block;width:100%;overflow:visible;font-size:.75rem}}
.chart text{{fill:var(--quiet);font-variant-numeric:tabular-nums}}
.chart text.title{{fill:var(--text);font-weight:600}}
.chart .tick{{text-anchor:end}}
.chart .time{{text-anchor:middle}}
.chart line{{stroke-width:1}}
.chart path,.key path{{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}}
.grid{{stroke:var(--grid)}}
.chart .weekday,.key .weekday{{fill:var(--use)}}
.chart .weekend,.key .weekend{{fill:var(--weekend)}}
.chart .expected,.chart .range,.key .expected,.key .range{{fill:var(--coming)}}
.total,.projected{{stroke:var(--use)}}
.unobserved{{stroke:var(--use);stroke-dasharray:1 4;stroke-linecap:round}}
.projected{{stroke-dasharray:6 4}}
.chart line.limit{{stroke:var(--text);stroke-width:1.5}}
.chart line.out{{stroke:var(--critical)}}
.chart text.limit{{fill:var(--text)}}
.chart circle.out,.chart text.out{{fill:var(--critical)}}
.chart text.out{{font-weight:600}}
.chart text.limit,.chart text.out{{paint-order:stroke;stroke:var(--page);stroke-width:3px}}
.now,.start{{stroke:var(--line)}}
.chart text.now{{stroke:none}}
.now{{stroke-dasharray:3 3}}
.legend{{display:flex;flex-wrap:wrap;gap:.1rem 1rem;font-size:.85rem;color:var(--quiet)}}
.legend li{{display:flex;align-items:center;gap:.4rem}}
.key{{width:20px;height:10px;flex:none}}
dl{{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,13rem),1fr));
gap:.6rem 1.5rem;margin:.6rem 0}}
dd time{{white-space:normal}}
dt{{color:var(--quiet);font-size:.85rem}}
section h3{{margin-top:.6rem}}
.steps{{font-size:.9rem;margin:.4rem 0}}
.wide{{overflow-x:auto}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}}
caption{{text-align:left;color:var(--quiet)}}
th,td{{padding:.25rem .6rem;text-align:right;white-space:nowrap;vertical-align:top}}
td{{border-top:1px solid var(--grid)}}
.scopes{{width:100%}}
.scopes th:first-child{{text-align:left;white-space:normal;min-width:12rem;padding-left:0}}
.scopes tbody th{{font-weight:400;border-top:1px solid var(--grid)}}
.scopes [scope=rowgroup]{{font-weight:600;padding-top:.8rem;border:0}}
thead th{{color:var(--quiet);font-weight:600}}
.recent{{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .6rem;margin-top:.3rem}}
main>section{{border-top:1px solid var(--line);margin-top:1.2rem;padding-top:.9rem}}
.lead{{font-size:1.2rem;margin:.8rem 0}}
.pages{{border-top:1px solid var(--line);padding:1rem 0}}
@media (max-width:40rem){{.target{{grid-template-columns:minmax(0,1fr)}}
label{{flex:1 1 7rem}}
input,select{{width:100%}}
.minor,.scopes td:nth-child(2),.scopes th:nth-child(2){{display:none}}
dl{{grid-template-columns:repeat(2,minmax(0,1fr))}}
th,td{{padding:.25rem .4rem}}
.scopes th:first-child{{min-width:8rem}}
figure{{margin-right:.5rem}}}}
@media print{{:root{{{_LIGHT}color-scheme:light}}
html{{font-size:9pt}}
body{{max-width:none;padding:0}}
nav,form{{display:none}}
figure,dl,tr,.lead{{break-inside:avoid}}
h2,h3{{break-after:avoid}}
.wide{{overflow:visible}}}}
"""


def security_headers() -> tuple[tuple[bytes, bytes], ...]:
    """A policy that allows this style sheet by its hash; no scripts, frames or other origins."""
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return (b"content-security-policy", policy.encode()), (b"referrer-policy", b"no-referrer")
