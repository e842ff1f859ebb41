"""The frame of the report: styles, navigation, and the one script that draws every figure."""

import html
import json
from typing import NamedTuple

from jinja2 import DictLoader
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

from aligngemini.analysis import renderer, style

SIZE = "@@size@@"
TEMPLATE = "report.html.j2"
LOADER = DictLoader(
    {
        TEMPLATE: """{%- extends 'basic/index.html.j2' -%}
{% block input_group %}<details class="code">
<summary>code</summary>{{ super() }}</details>{% endblock %}
{% block input %}{{ cell.source | highlight_code(metadata=cell.metadata) }}{% endblock %}
{% block output_area_prompt %}{% endblock %}
{% block stream_stderr %}<details class="code">
<summary>messages</summary>{{ super() }}</details>{% endblock %}
"""
    }
)


class Section(NamedTuple):
    """One chapter of the page: anchor, title, HTML body."""

    anchor: str
    title: str
    body: str


def figure(data: dict) -> str:
    """The place of a figure (plotly mime data), with its data beside it; it is drawn when it scrolls into view."""
    kept = {name: data.get(name) for name in ("data", "layout")}
    text = json.dumps(kept).replace("</", "<\\/")  # no tag may end inside a script element
    height = int((data.get("layout") or {}).get("height") or 450)
    script = f'<script type="application/json">{text}</script>'
    return f'<div class="figure" style="min-height:{height}px">{script}</div>'


STYLE = f"""
:root {{ color-scheme: light }}
* {{ box-sizing: border-box }}
body {{ margin: 0; font: 16px/1.6 {style.FONT}; color: {style.INK}; background: white }}
nav {{ position: fixed; inset: 0 auto 0 0; width: 250px; padding: 28px 20px; background: {style.PALE};
  border-right: 1px solid {style.GRID}; overflow-y: auto; font-size: 14px; line-height: 1.4 }}
nav b {{ display: block; font-size: 18px; margin-bottom: 14px }}
nav a {{ display: block; padding: 7px 10px; border-radius: 6px; color: inherit; text-decoration: none }}
nav a:hover {{ background: {style.GRID} }}
nav small {{ display: block; margin-top: 18px; color: {style.MUTED} }}
main {{ margin-left: 250px; padding: 8px 48px 80px; max-width: 1240px }}
section + section {{ border-top: 1px solid {style.GRID}; margin-top: 48px; padding-top: 12px }}
h1, h2, h3 {{ line-height: 1.25; margin: 1.5em 0 .5em }} h1 {{ font-size: 28px }} h2 {{ font-size: 21px }}
p, li {{ max-width: 78ch }} a {{ color: {style.REAL} }} img {{ max-width: 100% }}
.missing {{ padding: 10px 14px; background: #FFF4EC; border-left: 4px solid {style.FAKE} }}
table {{ border-collapse: collapse; font-size: 14px; margin: 10px 0 18px; display: block; overflow-x: auto;
  max-width: 100%; font-variant-numeric: tabular-nums }}
table, th, td {{ border: 0 }}
th, td {{ padding: 5px 18px 5px 2px; text-align: right; white-space: nowrap }}
table:not(:has(thead)) td {{ text-align: left; white-space: normal; overflow-wrap: anywhere }}
tbody tr {{ border-bottom: 1px solid {style.GRID} }} thead {{ border-bottom: 2px solid {style.MUTED} }}
thead tr:last-child:not(:first-child):has(th:empty:last-child) th {{ text-align: left }}
tbody th, td:first-child {{ text-align: left; font-weight: 500 }}
pre, code {{ font: 13px/1.5 ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace }}
pre {{ overflow-x: auto; margin: 8px 0; white-space: pre-wrap }} details pre {{ white-space: pre }}
.explorer {{ color: {style.MUTED}; font-size: 14px }}
p code, li code, td code {{ background: {style.PALE}; padding: 1px 4px }}
details.code {{ margin: 6px 0; color: {style.MUTED} }}
details.code summary {{ cursor: pointer; font-size: 12px; user-select: none }}
details.code pre {{ background: {style.PALE}; padding: 10px 14px; border-radius: 6px; color: {style.INK} }}
.figure {{ margin: 12px 0 }} .anchor-link, .prompt, .jp-InputPrompt, .jp-OutputPrompt {{ display: none }}
@media (max-width: 900px) {{ nav {{ position: static; width: auto }} main {{ margin: 0; padding: 16px }} }}
@media print {{ nav, details.code {{ display: none }} main {{ margin: 0 }} }}
"""

SCRIPT = (
    f"const config = {json.dumps(renderer.CONFIG)};"
    + """
const draw = node => {
  const source = node.querySelector('script');
  if (!source) return;
  const figure = JSON.parse(source.textContent);
  source.remove();
  Plotly.newPlot(node, figure.data, figure.layout, config);
};
const seen = new IntersectionObserver(entries => entries.forEach(entry => {
  if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
}), {rootMargin: '600px'});
const places = document.querySelectorAll('.figure');
places.forEach(node => seen.observe(node));
window.addEventListener('beforeprint', () => places.forEach(draw));
"""
)


def whole(sections: list[Section]) -> str:
    """The page, which names its own size."""
    links = "".join(f'<a href="#{each.anchor}">{html.escape(each.title)}</a>' for each in sections)
    bodies = "".join(f'<section id="{each.anchor}">{each.body}</section>' for each in sections)
    drawing = f"<script>{get_plotlyjs()}</script><script>{SCRIPT}</script>"
    code = HtmlFormatter().get_style_defs(".highlight")
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>AlignGemini, the workbook</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><style>{STYLE}{code}</style></head><body>'
        f"<nav><b>AlignGemini</b>{links}<small>This file: {SIZE}, complete in itself.</small></nav>"
        f"<main>{bodies}</main>{drawing}</body></html>"
    )
    return text.replace(SIZE, f"{len(text.encode()) / 1e6:.1f} MB")
