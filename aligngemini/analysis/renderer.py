"""How a notebook carries a figure: as data, which JupyterLab and the report draw offline, and as a piece of a page for
whoever exports the notebook to HTML."""

from plotly.io import to_html
from plotly.io.base_renderers import MimetypeRenderer, PlotlyRenderer

CONFIG = {"displaylogo": False, "responsive": True}
DATA = PlotlyRenderer(CONFIG)  # a figure as data alone
WAITING = (
    "<p>A figure of plotly, which an exported notebook fetches from the network; without it, JupyterLab and "
    "<code>report.html</code> of notebook 05 show it.</p>"
)
DRAWN = "document.getElementById('{plot_id}').closest('.carried').querySelector('p').remove()"


class Carried(MimetypeRenderer):
    """The data of a figure, and the same as HTML with plotly's script named and not contained (4.8 MB)."""

    def to_mimebundle(self, fig_dict: dict) -> dict:
        """The MIME types of one figure, given as a dict."""
        page = to_html(
            fig_dict,
            CONFIG,
            full_html=False,
            include_plotlyjs="cdn",
            include_mathjax=False,
            post_script=DRAWN,
            validate=False,
        )
        return DATA.to_mimebundle(fig_dict) | {"text/html": f'<div class="carried">{WAITING}{page}</div>'}
