"use strict";
// One time range for all charts, moved by buttons and keys as well as by dragging.
wsload.ready.then(() => {
  const ranges = () => wsload.models().filter((model) => model.type === "Range1d" && model.name === "time");
  const whole = () => wsload.whole;
  wsload.whole = ranges().length ? [ranges()[0].start, ranges()[0].end] : [0, 1];
  wsload.show = (start, end) => {
    const [least, most] = whole();
    const span = Math.max(Math.min(end - start, most - least), (most - least) / 1e4);
    const from = Math.min(Math.max(start, least), most - span);
    for (const range of ranges()) range.setv({ start: from, end: from + span });
  };
  const moves = {
    all: () => whole(),
    in: (start, end) => [start + (end - start) / 4, end - (end - start) / 4],
    out: (start, end) => [start - (end - start) / 2, end + (end - start) / 2],
    left: (start, end) => [start - (end - start) / 2, end - (end - start) / 2],
    right: (start, end) => [start + (end - start) / 2, end + (end - start) / 2],
  };
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const [first] = ranges();
      if (first) wsload.show(...moves[button.dataset.zoom](first.start, first.end));
    });
  }
  // Each figure may have a range of its own in its own document: what one shows, all show.
  for (const range of ranges()) {
    range.change.connect(() => {
      for (const other of ranges()) {
        if (other !== range && (other.start !== range.start || other.end !== range.end)) {
          other.setv({ start: range.start, end: range.end });
        }
      }
    });
  }
  for (const figure of wsload.models().filter((model) => model.type === "Figure" && model.x_range.name === "time")) {
    figure.on_event("tap", (event) => window.dispatchEvent(new CustomEvent("wsload-jump", { detail: event.x })));
    figure.on_event("doubletap", () => wsload.show(...whole()));
  }
});
