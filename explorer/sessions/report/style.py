"""The style sheet of a report. It names no file and no font that is not on every machine."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --dim: #667585; --line: #d9e0e7; --paper: #fff; --wash: #f5f7f9;
  --accent: #0b7285; --note: #fff8e1; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe6ed; --dim: #8b9aa9; --line: #2c3742; --paper: #12181f;
  --wash: #1a222b; --accent: #66c7d8; --note: #2b2718; --bad: #ff9a90; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.08rem; line-height: 1.35; margin: 0 13rem .35rem 0; overflow-wrap: anywhere; }
h2 a { color: var(--accent); text-decoration: none; font-variant-numeric: tabular-nums; margin-right: .4rem; }
header dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1rem; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
nav { margin: 1.5rem 0; padding: .75rem 1rem; background: var(--wash); border-radius: 8px; }
nav ol { margin: 0; padding-left: 2.2rem; } nav a { color: inherit; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover { text-decoration: underline; } nav .note { color: var(--dim); font-style: italic; }
nav .trouble { color: var(--bad); }
section { position: relative; border-top: 1px solid var(--line); padding: 1.1rem 0; scroll-margin-top: 1rem; }
section.note { background: var(--note); border: 0; border-left: 4px solid #e0a800; border-radius: 6px;
  padding: .8rem 1rem; margin: 1rem 0; }
section.note h2 { font-size: .85rem; color: var(--dim); font-weight: 500; } section.note p { margin: .2rem 0; }
time { position: absolute; top: 1.2rem; right: 0; color: var(--dim); font-size: .75rem; max-width: 13rem;
  overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
section.note time { right: 1rem; top: .8rem; }
@media (max-width: 44rem) { time, section.note time { position: static; } h2 { margin-right: 0; } }
.summary { margin: 0 0 .8rem; color: var(--dim); overflow-wrap: anywhere; }
.warns { color: var(--bad); font-weight: 600; }
p { overflow-wrap: anywhere; }
blockquote, td { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
blockquote { margin: .6rem 0; padding: .6rem .9rem; background: var(--wash); border-radius: 6px; font-size: .85rem;
  overflow-wrap: anywhere; white-space: pre-wrap; max-height: 16rem; overflow: auto; }
.table { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .84rem; }
th { text-align: left; color: var(--dim); font-weight: 600; border-bottom: 1px solid var(--line); }
th, td { padding: .22rem .8rem .22rem 0; vertical-align: top; }
td { border-bottom: 1px solid color-mix(in srgb, var(--line) 55%, transparent); max-width: 30rem;
  overflow-wrap: anywhere; }
td.n { white-space: nowrap; }
.r { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.strong td { font-weight: 700; color: var(--accent); }
figure { margin: .8rem 0; } svg { width: 100%; height: auto; max-width: 46rem; }
svg .frame { fill: var(--wash); stroke: var(--line); }
svg text { font: 11.5px ui-monospace, "DejaVu Sans Mono", monospace; fill: var(--ink); }
svg .axis { font-size: 10.5px; fill: var(--dim); }
svg circle { stroke: var(--paper); } svg .subject { stroke: var(--ink); stroke-width: 3; }
.tag { display: inline-block; margin: .3rem .4rem 0 0; padding: 0 .5rem; font-size: .75rem; border-radius: 99px;
  border: 1px solid var(--line); color: var(--dim); }
footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem 2rem; color: var(--dim); font-size: .8rem; }
@media print { nav { display: none; } section { break-inside: avoid; } }
"""
