"use strict";
// Feeds the page while a run goes on. The server knows everything: a page that is loaded again loses nothing.
wsload.ready.then(() => {
  const feed = document.getElementById("feed");
  const say = (text, kind) => {
    if (feed.textContent !== text) feed.textContent = text;
    feed.className = `feed ${kind}`;
  };
  const number = (value) => (value === null ? NaN : value);
  const column = (told, old) => (Array.isArray(told) ? told.map(number)
    : [new old[0].constructor(told.cells.map(number), told.shape)]);
  const draw = (told) => {
    for (const [name, columns] of Object.entries(told.sources)) {
      const source = wsload.model(name);
      if (source) source.data = Object.fromEntries(Object.entries(columns).map(([key, value]) => [key, column(value, source.data[key])]));
    }
    for (const [key, axes] of Object.entries(told.axes)) {
      const figure = wsload.model(key);
      if (!figure) continue;
      if (axes.x) figure.x_range.setv({ start: axes.x[0], end: axes.x[1] });
      if (axes.y) figure.y_range.setv({ start: axes.y[0], end: axes.y[1] });
      if (axes.colour) for (const renderer of figure.renderers) renderer.glyph.color_mapper?.setv({ low: axes.colour[0], high: axes.colour[1] });
    }
    for (const [key, words] of Object.entries(told.words)) {
      const caption = document.getElementById(`words-${key}`);
      if (caption && caption.textContent !== words) caption.textContent = words;
    }
    // Who has looked closer at a part of the run goes on looking at it.
    const range = wsload.model("time"), before = wsload.whole;
    const near = (one, other) => Math.abs(one - other) <= (before[1] - before[0]) * 1e-6;
    const isWhole = range && near(range.start, before[0]) && near(range.end, before[1]);
    wsload.whole = told.time;
    if (isWhole) wsload.show(...told.time);
  };
  const source = new EventSource(document.body.dataset.live);
  source.addEventListener("message", (message) => {
    const told = JSON.parse(message.data);
    if (told.shape !== undefined && told.shape !== document.body.dataset.shape) { location.reload(); return; }
    // Parts come escaped from the same templates as the page.
    for (const [name, html] of Object.entries(told.parts ?? {})) {
      const part = document.getElementById(`part-${name}`);
      if (part && !part.contains(document.activeElement)) part.innerHTML = html;
    }
    if (told.sources) draw(told);
    if (!told.closing) window.dispatchEvent(new CustomEvent("wsload-news"));
    if (told.state === "running") { say("the run is going on", "on"); return; }
    source.close();
    say(told.state === "lost" ? told.text : `the run is over: ${told.state}`, "off");
  });
  source.addEventListener("error", () => say("no connection to wsload: its run may be over", "off"));
});
