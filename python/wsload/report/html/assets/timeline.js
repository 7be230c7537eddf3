"use strict";
// The timeline viewer. What servers sent gets into the page as text only.
(() => {
  const block = document.getElementById("data-timeline");
  if (!block) return;
  const PAGE = 200;
  const { events, total } = JSON.parse(block.textContent);
  const form = document.getElementById("timeline-filters");
  const list = document.getElementById("timeline-list");
  const count = document.getElementById("timeline-count");
  const more = document.getElementById("timeline-more");
  let found = [], shown = 0;

  const bytes = (event) => Uint8Array.from(atob(event.base64), (char) => char.charCodeAt(0));
  // What moves a cursor or reorders a line is shown by its code.
  const printable = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (char) => (char === "\n" || char === "\t" ? char : `\\u{${char.codePointAt(0).toString(16)}}`));
  const hexdump = (raw) => {
    const lines = [];
    for (let at = 0; at < raw.length; at += 16) {
      const part = [...raw.slice(at, at + 16)];
      const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      const text = part.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
      lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text}`);
    }
    return lines.join("\n");
  };
  const pretty = (text) => {
    try {
      const value = JSON.parse(text);
      return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : text;
    } catch { return text; }
  };
  const seconds = (ns) => (ns / 1e9).toFixed(6) + " s";
  const words = (event) => [event.note, event.text, event.base64 && hexdump(bytes(event))].filter(Boolean).join("\n");
  const peek = (event) => printable([event.note, event.text ?? (event.base64 && hexdump(bytes(event).slice(0, 16)))]
    .filter(Boolean).join("   ").slice(0, 300)).replace(/[\n\t]+/g, " ");
  const full = (event) => {
    const parts = [];
    if (event.note) parts.push(event.note);
    if (event.text) parts.push(pretty(event.text));
    if (event.base64) parts.push(hexdump(bytes(event)));
    if (event.cut) parts.push(`… of ${event.n.toLocaleString("en")} bytes`);
    return printable(parts.join("\n") || "nothing was kept of it");
  };

  const cell = (text, name) => {
    const span = document.createElement("span");
    span.textContent = text;
    if (name) span.className = name;
    return span;
  };
  const row = (event, before) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "row";
    button.setAttribute("aria-expanded", "false");
    const way = { in: ["← received", "in"], out: ["→ sent", "out"] }[event.d] || ["status", "status"];
    const delta = before ? "+" + ((event.t - before.t) / 1e6).toFixed(3) + " ms" : "";
    button.append(cell(seconds(event.t), "num"), cell(`#${event.c}`, "num"), cell(way[0], way[1]), cell(event.o),
      cell(event.n ? `${event.n.toLocaleString("en")} B` : "", "num"), cell(peek(event), "peek"));
    button.title = delta;
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) { item.querySelector("pre").remove(); return; }
      const body = document.createElement("pre");
      body.tabIndex = 0;
      body.textContent = full(event);
      item.append(body);
    });
    item.append(button);
    return item;
  };
  const showMore = () => {
    const part = document.createDocumentFragment();
    for (const end = Math.min(shown + PAGE, found.length); shown < end; shown++) part.append(row(found[shown], found[shown - 1]));
    list.append(part);
    more.hidden = shown >= found.length;
  };
  const filter = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const search = wanted.search.toLowerCase(), connection = wanted.connection.trim().replace(/^#/, "");
    const from = Number.parseFloat(wanted.from) * 1e9;
    found = events.filter((event) => (!connection || String(event.c) === connection)
      && (!wanted.direction || (event.d || "none") === wanted.direction)
      && (!wanted.opcode || event.o === wanted.opcode)
      && (!(from === from) || event.t >= from)
      && (!search || words(event).toLowerCase().includes(search)));
    list.replaceChildren();
    shown = 0;
    showMore();
    const kept = events.length < total ? `, ${events.length.toLocaleString("en")} of ${total.toLocaleString("en")} are in this page` : "";
    count.textContent = `${found.length.toLocaleString("en")} of ${events.length.toLocaleString("en")} events${kept}`;
  };
  for (const name of [...new Set(events.map((event) => event.o).filter(Boolean))].sort()) {
    const option = document.createElement("option");
    option.value = option.textContent = name;
    form.elements.opcode.append(option);
  }
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", showMore);
  window.addEventListener("wsload-jump", (event) => {
    form.elements.from.value = `${Math.max(event.detail, 0).toFixed(3)} s`;
    filter();
    document.getElementById("timeline").scrollIntoView();
  });
  filter();
})();
