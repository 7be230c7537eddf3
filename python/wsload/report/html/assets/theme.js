"use strict";
// Draws the charts and dresses them in the page's colours, again whenever these change.
const wsload = {
  documents: [],
  views: [],
  model(name) {
    for (const one of this.documents) {
      const found = one.get_model_by_name(name);
      if (found) return found;
    }
    return null;
  },
  models() {
    return this.documents.flatMap((one) => [...one._all_models.values()]);
  },
  dress() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const ink = colour("--ink"), soft = colour("--soft"), grid = colour("--grid"), line = colour("--axis");
    for (const model of this.models()) {
      const type = model.type;
      if (type.endsWith("Axis")) {
        model.setv({ axis_line_color: line, major_tick_line_color: line, minor_tick_line_color: null,
          major_label_text_color: soft, major_label_text_font_size: "12px", major_label_text_font: "system-ui, sans-serif" });
      } else if (type === "Grid") {
        model.setv({ grid_line_color: grid });
      } else if (type === "Legend") {
        model.setv({ label_text_color: ink, label_text_font: "system-ui, sans-serif", inactive_fill_color: colour("--ground") });
      }
    }
  },
  // A legend in one row where it fits, in several where it does not: these are added to the height of the lines.
  heights: new Map(),
  fold() {
    for (const figure of this.models().filter((model) => model.type === "Figure")) {
      const place = document.getElementById(`chart-${figure.name}`);
      const room = (place ? place.clientWidth : 400) - 60;
      for (const legend of figure.above.filter((model) => model.type === "Legend")) {
        const widths = legend.items.map((item) => String(item.label.value ?? item.label).length * 7 + 32);
        const widest = Math.max(...widths), all = widths.reduce((sum, width) => sum + width, 0);
        const columns = all <= room ? legend.items.length : Math.max(Math.floor(room / widest), 1);
        legend.ncols = all <= room ? "auto" : columns;
        if (!this.heights.has(figure)) this.heights.set(figure, figure.height);
        figure.height = this.heights.get(figure) + (Math.ceil(legend.items.length / columns) - 1) * 27;
      }
    }
  },
  async start() {
    const data = JSON.parse(document.getElementById("data-charts").textContent);
    const views = await Bokeh.embed.embed_items(data.documents, data.items);
    this.views = views.flatMap((view) => [...view.roots]);
    this.documents = [...new Set(views.flatMap((view) => view.roots.map((root) => root.model.document)))];
    this.dress();
    this.fold();
    let waiting = 0;
    window.addEventListener("resize", () => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(() => this.fold());
    });
    const coarse = matchMedia("(pointer: coarse)").matches;
    for (const model of this.models()) {
      // On a touch screen a drag scrolls the page.
      if (coarse && model.type === "Toolbar") model.active_drag = null;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.dress());
    // Paper is light; what was light already is left alone. Nothing is drawn later while a page is being printed.
    matchMedia("print").addEventListener("change", () => {
      if (!dark.matches) return;
      this.dress();
      for (const view of this.views) view.repaint?.();
    });
  },
};
wsload.ready = wsload.start();
