// The pages' one style: quiet and dense, dark or light as the reader's system is, down to the width of a phone. System
// fonts; loads nothing. Contrast of text is 4.5 to 1 or better in both schemes.

const COLOURS = `
:root { color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --text: #1b2128; --quiet: #57606a; --line: #d5dae0; --link: #0a569f;
  --bad: #b3261e; --bad-bed: #fdeceb; --good: #176338; --good-bed: #e6f4ea; --unknown: #7a5000; --unknown-bed: #fff3d6;
  --one: #0a569f; --two: #8b3f9e; --band: #0a569f2e; --grid: #c3cad2; --focus: #0a569f; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0f1317; --card: #171c22; --text: #e3e7ec; --quiet: #9ba6b2; --line: #2c343e; --link: #84bbff;
  --bad: #ff9088; --bad-bed: #3b1816; --good: #7fdca0; --good-bed: #14301f; --unknown: #ffce6b; --unknown-bed: #35290c;
  --one: #84bbff; --two: #dba0ee; --band: #84bbff33; --grid: #3a4450; --focus: #84bbff; } }
`

const TEXT = `
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; margin: 0;
  background: var(--page); color: var(--text); overflow-wrap: anywhere; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 .6rem; } h3 { font-size: 1rem; margin: 0; } h4 { font-size: .95rem; margin: 0; }
p { margin: 0 0 .4rem; } ul, ol, dl, dd, figure { margin: 0; padding: 0; } ul, ol { list-style: none; }
small { font-size: .84em; } a { color: var(--link); text-underline-offset: .15em; }
code, pre, .slug { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .86em; }
.slug { font-weight: 400; color: var(--quiet); } pre { white-space: pre-wrap; margin: 0; } pre code { font-size: inherit; }
time, .whole { font-variant-numeric: tabular-nums; }
.quiet, .source, .note { color: var(--quiet); } .note { font-size: .84em; margin: .35rem 0 0; }
.bad { color: var(--bad); } .good { color: var(--good); } .unknown, .warning { color: var(--unknown); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); margin: 0; white-space: nowrap; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
`

const FRAME = `
.skip { position: absolute; left: .75rem; top: -4rem; background: var(--card); padding: .5rem .9rem; z-index: 3; }
.skip:focus { top: .5rem; }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; padding: .55rem 1.25rem;
  background: var(--card); border-bottom: 1px solid var(--line); }
.brand { font-weight: 650; margin: 0; letter-spacing: -.01em; }
.top nav ul { display: flex; flex-wrap: wrap; gap: .1rem .2rem; }
.top nav a { display: block; padding: .3rem .6rem; border-radius: 6px; text-decoration: none; color: var(--text); }
.top nav a:hover { background: var(--page); text-decoration: underline; }
.top nav a[aria-current] { background: var(--page); font-weight: 600; box-shadow: inset 0 -2px var(--link); }
.live { margin-left: auto; font-size: .86em; color: var(--quiet); display: flex; align-items: center; gap: .6rem; }
.live[hidden] { display: none; }
#live-says { min-width: 11.5em; text-align: right; font-variant-numeric: tabular-nums; }
#live-says::before { content: "" / ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; background: var(--good); margin-right: .45em; }
.live.off #live-says::before { background: none; border: 2px solid var(--unknown); border-radius: 0; }
.lost { position: sticky; top: 0; z-index: 2; margin: 0; padding: .6rem 1.25rem; background: var(--unknown-bed);
  color: var(--unknown); border-bottom: 2px solid var(--unknown); font-weight: 600; }
.lost[hidden] { display: none; }
main { max-width: 84rem; margin: 0 auto; padding: 1.25rem; }
main > section, main > .named { margin-top: 1.6rem; } main > section[aria-labelledby=glance] { margin-top: .9rem; }
footer { max-width: 84rem; margin: 0 auto; padding: .5rem 1.25rem 2rem; color: var(--quiet); font-size: .86em; }
button, input, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--quiet); border-radius: 6px; padding: .3rem .55rem; min-height: 2.1rem; max-width: 100%; }
button { cursor: pointer; } button:hover { background: var(--page); } .live button { min-height: 1.75rem; padding: .1rem .5rem; }
`

const PARTS = `
.headline::before, .badge::before { display: inline-block; text-align: center; font-weight: 700; }
.headline::before { margin-right: .5rem; }
.badge { display: inline-block; white-space: nowrap; font-size: .86rem; font-weight: 600; line-height: 1.35; padding: .1rem .55rem .1rem .4rem; border-radius: 1rem; border: 1px solid currentColor; vertical-align: .05em; }
.badge::before { width: 1.15em; margin-right: .15em; }
.badge.bad { background: var(--bad-bed); } .badge.good { background: var(--good-bed); } .badge.unknown, .badge.warning { background: var(--unknown-bed); } .badge.unknown { border-style: dashed; }
.bad.badge::before, .headline.bad::before { content: "\\2715" / ""; } .good.badge::before, .headline.good::before { content: "\\2713" / ""; }
.unknown.badge::before, .headline.unknown::before { content: "?" / ""; } .warning.badge::before, .headline.warning::before { content: "!" / ""; }
.besides { display: flex; flex-wrap: wrap; gap: .4rem; margin: .6rem 0 0; } .besides li { padding: .25rem .8rem; border-left: 4px solid var(--unknown); background: var(--unknown-bed); }
.besides li:has(.bad) { border-left: 8px double var(--bad); background: var(--bad-bed); font-weight: 600; }
.nothing { margin-top: .8rem; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; }
.tile { display: block; height: 100%; padding: .6rem .9rem; background: var(--card); border: 1px solid var(--line); border-left: 5px solid currentColor; border-radius: 8px; text-decoration: none; font-size: .9rem; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.15; font-variant-numeric: tabular-nums; } .tile.none { color: var(--quiet); }
.tile:hover, .chip:hover { text-decoration: underline; } .tile[aria-current], .chip[aria-current] { outline: 2px solid var(--link); outline-offset: 1px; font-weight: 600; }
.chips { display: flex; flex-wrap: wrap; gap: .4rem; margin-top: .7rem; }
.chip { display: inline-block; padding: .05rem .6rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--card); color: var(--text); text-decoration: none; font-size: .84rem; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: end; margin-bottom: .7rem; }
.field { display: flex; flex-direction: column; min-width: 0; max-width: 100%; } .field label { font-size: .84rem; color: var(--quiet); } .field.wide { flex: 1 1 14rem; }
.buttons { display: flex; gap: .8rem; align-items: center; }
.pager { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin-top: .8rem; } .empty { padding: 1.2rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
`

const TABLES = `
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; font-weight: inherit; }
.rows, .facts { background: var(--card); border: 1px solid var(--line); border-radius: 8px; border-spacing: 0; border-collapse: separate; }
.rows th, .rows td, .facts th, .facts td { padding: .55rem .8rem; border-top: 1px solid var(--line); }
.rows thead th { border-top: 0; font-size: .82rem; color: var(--quiet); font-weight: 600; padding-block: .4rem; } .facts tr:first-child > * { border-top: 0; }
.facts th { width: 16rem; color: var(--quiet); }
.hosts { table-layout: fixed; } .hosts thead th:nth-child(1) { width: 18%; } .hosts thead th:nth-child(2) { width: 13.5%; } .hosts thead th:nth-child(n+4) { width: 8%; } .hosts thead th:nth-child(5) { width: 9%; }
.hosts td small { display: block; } .hosts .cause .slug, .hosts p.cause small { display: inline; } .name { font-weight: 600; text-decoration-thickness: 1px; }
.since { color: var(--quiet); margin-top: .2rem; } .rows time { white-space: nowrap; } .hosts .since time { white-space: normal; } time span { white-space: nowrap; }
.failures { table-layout: fixed; } .failures thead th:nth-child(1) { width: 14.5rem; } .failures thead th:nth-child(2) { width: 6.5rem; } .failures thead th:nth-child(3) { width: 20%; }
.tags { display: flex; flex-wrap: wrap; gap: .25rem; margin-top: .15rem; } .tags li { font-size: .8rem; color: var(--quiet); border: 1px solid var(--line); border-radius: 4px; padding: 0 .35rem; }
.cause + .cause { margin-top: .5rem; } .cause p, p.cause { margin: 0; }
.evidence { margin: .1rem 0; padding-left: 1.05rem; list-style: disc; } .evidence li + li { margin-top: .15rem; }
.number { font-variant-numeric: tabular-nums; } .spark { display: block; width: 100%; max-width: 7rem; height: 1.4rem; margin-top: .15rem; }
.scroll { overflow-x: auto; } tr.changed > * { background: var(--unknown-bed); }
.cards { columns: 26rem; column-gap: .7rem; }
.cards > li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; margin-bottom: .7rem; break-inside: avoid; }
.cards h3 { margin-bottom: .4rem; } .cards dl > div + div { margin-top: .45rem; } .cards dt { color: var(--quiet); font-size: .84rem; }
.cards dd > small { display: block; }
`

const HOST = `
h1 .badge { font-size: 1rem; vertical-align: .2em; }
dl.line { display: flex; flex-wrap: wrap; gap: .3rem 1.8rem; margin-top: .6rem; } dl.line dt { font-size: .82rem; color: var(--quiet); }
.named { background: var(--card); border: 1px solid var(--line); border-left: 6px solid var(--bad); border-radius: 8px; padding: .9rem 1.1rem; color: var(--text); }
.named.warning { border-left-color: var(--unknown); } .named h2 { margin-bottom: .5rem; }
.named dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.1rem; align-items: baseline; } .named dt { color: var(--quiet); }
.command { display: inline-block; padding: .2rem .55rem; background: var(--page); border: 1px solid var(--line); border-radius: 5px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: .8rem; } .strip { grid-column: 1 / -1; }
.plot { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; min-width: 0; }
.chart { display: grid; grid-template-columns: max-content 1fr; gap: 0 .5rem; margin: .45rem 0; }
.heights { display: flex; flex-direction: column; justify-content: space-between; text-align: right; font-size: .78rem; color: var(--quiet); white-space: nowrap; margin-block: -.5em; min-width: 3.2rem; font-variant-numeric: tabular-nums; }
.lines { grid-column: 2; width: 100%; height: 8rem; border-bottom: 1px solid var(--grid); border-left: 1px solid var(--grid); overflow: visible; }
.bars { grid-column: 1 / -1; width: 100%; height: 2.2rem; border-bottom: 1px solid var(--grid); }
.times { grid-column: 2; display: flex; justify-content: space-between; font-size: .78rem; color: var(--quiet); font-variant-numeric: tabular-nums; padding-top: .15rem; } .strip .times { grid-column: 1 / -1; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; } .line.one { stroke: var(--one); } .line.two { stroke: var(--two); stroke-dasharray: 5 2; }
.line.required { stroke: var(--bad); stroke-dasharray: 6 4; } .band { fill: var(--band); stroke: none; }
.level { fill: none; stroke-width: 1; } .level.zero { stroke: var(--grid); } .level.warning { stroke: var(--unknown); stroke-dasharray: 2 3; } .level.critical { stroke: var(--bad); stroke-dasharray: 6 4; }
rect.good { fill: var(--good); } rect.bad { fill: var(--bad); } rect.unknown { fill: var(--unknown); }
.numbers { font-size: .86rem; font-variant-numeric: tabular-nums; } .numbers th, .numbers td { padding: .12rem .7rem .12rem 0; white-space: nowrap; } .numbers thead th { color: var(--quiet); font-size: .8rem; }
.key { display: inline-block; width: 1.1rem; height: 0; border-top: 2px solid; margin-right: .4rem; vertical-align: .25em; }
.key.one { color: var(--one); } .key.two { color: var(--two); border-top-style: dashed; } .key.required { color: var(--bad); border-top-style: dashed; }
.key.band { height: .6rem; border: 0; background: var(--band); vertical-align: -.05em; }
.strip .key { width: .7rem; border: 0; background: currentColor; vertical-align: 0; height: .75rem; } .strip .key.good { height: .25rem; } .strip .key.unknown { height: .5rem; }
.strip figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; align-items: baseline; } .legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .86rem; }
.legend li { color: var(--text); }
.tree > li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; margin-top: .6rem; counter-increment: question; }
.tree > li > h3::before { content: counter(question) ". "; color: var(--quiet); }
.causes > li { display: grid; grid-template-columns: 7.6rem 1fr; gap: .2rem .9rem; padding: .5rem 0; border-top: 1px solid var(--line); margin-top: .5rem; } .causes > li + li { margin-top: 0; }
.causes p { margin: 0; } .although { color: var(--quiet); font-style: italic; } summary { cursor: pointer; color: var(--link); font-size: .9rem; }
.prose { max-width: 50rem; } .prose section { margin-top: 1.5rem; } .prose dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.1rem; align-items: baseline; margin: .8rem 0; } .prose dt { color: var(--quiet); } .prose ul { list-style: disc; padding-left: 1.3rem; } .prose ol { list-style: decimal; padding-left: 1.5rem; } .prose li { margin: .25rem 0; }
.prose h2 { margin-top: 1.5rem; } .prose h3 { margin-top: 1rem; } .prose pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; margin: .5rem 0; } .prose p { margin: .5rem 0; }
`

const NARROW = `
@media (max-width: 66rem) {
  .rows thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .rows, .rows tbody, .rows tr, .rows th, .rows td { display: block; width: auto; }
  .rows { background: none; border: 0; }
  .rows tbody tr { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .5rem .9rem; margin-top: .6rem; }
  .rows tbody th, .rows tbody td { border: 0; padding: .2rem 0; }
  .rows tbody td { display: grid; grid-template-columns: 5.2rem minmax(0, 1fr); column-gap: .7rem; }
  .rows tbody td::before { content: attr(data-title) / ""; color: var(--quiet); font-size: .86rem; }
  .rows tbody td > * { grid-column: 2; } .rows tbody td > br { display: none; } .rows tbody td > .badge { justify-self: start; }
  .hosts td:nth-child(3) { display: block; } .hosts td:nth-child(3)::before { content: none; }
  .hosts td:nth-child(3):empty { display: none; }
}
@media (max-width: 40rem) {
  main { padding: 1rem .8rem; } .top { padding: .5rem .8rem; } footer { padding-inline: .8rem; } h1 { font-size: 1.3rem; }
  .top nav a { padding: .25rem .4rem; font-size: .92rem; } .top nav ul { gap: 0; margin-left: -.4rem; }
  .live { margin-left: 0; width: 100%; justify-content: space-between; } #live-says { text-align: left; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .4rem; } .tile { padding: .35rem .7rem; } .tile b { font-size: 1.3rem; }
  .chips { display: none; } .filter { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem .6rem; } .field.wide, .buttons { grid-column: 1 / -1; }
  .numbers th, .numbers td { padding-right: .5rem; } .numbers { font-size: .8rem; } .named dl, .causes > li { grid-template-columns: 1fr; } .named dt:not(:first-child) { margin-top: .35rem; } .facts th { width: 40%; }
}
@media (prefers-reduced-motion: no-preference) { tr > * { transition: background-color 1s; } }
@media print { .top nav, .live, .filter, .pager, .skip { display: none; } body { background: none; } }
`

export const STYLE = [COLOURS, TEXT, FRAME, PARTS, TABLES, HOST, NARROW].join('')
