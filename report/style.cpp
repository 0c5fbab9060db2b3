#include "report/style.h"

namespace finstill::report {

std::string_view style_sheet() {
  return R"css(
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--paper:#fff;--panel:#f5f7fa;--rule:#dde3ea;
--student:#0b6e99;--teacher:#6b4fa0;--control:#4b8f63;--base:#9a6b1f;--baseline:#8b95a1;--good:#2e8b57;--bad:#c2413b;--amber:#c98a1b}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--paper:#12161c;--panel:#1a2029;--rule:#2c3542;
--student:#4bb3dd;--teacher:#a98be0;--control:#74c48f;--base:#d6a24a;--baseline:#76818e;--good:#5cc48a;--bad:#ee7b74;--amber:#e2b04e}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI","Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:920px;margin:0 auto;padding:28px 18px 60px}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .3em}
h2{font-size:1.2rem;margin:2.2em 0 .6em;padding-top:.8em;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.4em 0 .4em}
p{margin:.5em 0}.soft{color:var(--soft)}small,.small{font-size:.85rem}
.lead{font-size:1.08rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:18px 0}
.card{background:var(--panel);border-radius:10px;padding:14px 16px}
.card b{display:block;font-size:1.6rem;line-height:1.2}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:18px 28px}
figure{margin:0}figcaption{color:var(--soft);font-size:.85rem;margin-bottom:6px}
svg{display:block;width:100%;height:auto}
svg text{font:13px system-ui,-apple-system,"Noto Sans","Noto Sans CJK SC","PingFang SC",sans-serif;fill:var(--ink)}
svg .tick{font-size:11px;fill:var(--soft)}svg .value{font-weight:600}
svg .grid{stroke:var(--rule);stroke-width:1}svg .track{fill:var(--panel)}
svg .bar{fill:var(--baseline)}svg .whisker{stroke:var(--ink);stroke-width:1.6;fill:none}
svg .bar.student{fill:var(--student)}svg .bar.teacher{fill:var(--teacher)}svg .bar.control{fill:var(--control)}svg .bar.base{fill:var(--base)}
svg .line{fill:none;stroke-width:2;stroke:var(--baseline)}svg .dashed{stroke-dasharray:5 4}
svg .line.student{stroke:var(--student)}svg .line.teacher{stroke:var(--teacher)}svg .line.control{stroke:var(--control)}svg .line.base{stroke:var(--base)}
.right{fill:var(--good)}.wrong{fill:var(--bad)}.malformed{fill:var(--amber)}.unanswered{fill:var(--baseline)}.truncated{fill:var(--base)}.unjudgeable{fill:var(--rule)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;padding:0;margin:6px 0;font-size:.85rem}
.key{display:inline-block;width:18px;height:0;border-top:3px solid var(--baseline);vertical-align:middle;margin-right:6px}
.key.dashed{border-top-style:dashed}.key.student{border-color:var(--student)}.key.teacher{border-color:var(--teacher)}.key.control{border-color:var(--control)}.key.base{border-color:var(--base)}
.key.right{border-color:var(--good)}.key.wrong{border-color:var(--bad)}.key.malformed{border-color:var(--amber)}.key.truncated{border-color:var(--base)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}
th{font-weight:600;color:var(--soft)}td.number,th.number{text-align:right}td.number{white-space:nowrap}th.number{min-width:5em}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--panel);border-radius:8px;padding:10px 12px;margin:.4em 0;font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"Noto Sans Mono","Noto Sans CJK SC",monospace}
code{font:13px ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
details{border:1px solid var(--rule);border-radius:8px;padding:8px 12px;margin:8px 0}summary{cursor:pointer}
.case{border:1px solid var(--rule);border-radius:10px;padding:12px 14px;margin:12px 0}
.answer{display:grid;grid-template-columns:9em 1fr;gap:2px 12px;font-size:.92rem}
.answer>*{overflow-wrap:anywhere;min-width:0}
.mark{font-weight:700}.mark.right{color:var(--good)}.mark.wrong{color:var(--bad)}
@media(max-width:520px){body{font-size:15px}.answer{grid-template-columns:1fr}.answer b{margin-top:6px}main{padding:18px 14px 40px}h1{font-size:1.4rem}svg text{font-size:16px}svg .tick{font-size:14px}svg.wide .tick{font-size:24px}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--panel:#f3f3f3;--rule:#ccc;--student:#0b6e99;--teacher:#6b4fa0;--control:#4b8f63;--base:#9a6b1f;--baseline:#8b95a1;--good:#2e8b57;--bad:#c2413b}
main{max-width:none;padding:0}.case,figure,table,details{break-inside:avoid}h2{break-after:avoid}a{color:inherit}}
)css";
}

}  // namespace finstill::report
