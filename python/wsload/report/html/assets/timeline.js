"use strict";
// The timeline viewer. What servers sent gets into the page as text only.
(() => {
  const block = document.getElementById("data-timeline");
  if (!block) return;
  const PAGE = 200;
  const data = JSON.parse(block.textContent);
  const form = document.getElementById("timeline-filters");
  const list = document.getElementById("timeline-list");
  const count = document.getElementById("timeline-count");
  const more = document.getElementById("timeline-more");
  let turn = 0, last = null;

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

  // Where events come from: this page itself, or the server of a run that goes on. Both give a page of them at a time.
  const number = (count) => count.toLocaleString("en");
  const kept = ({ events, total }) => {
    let found = [], shown = 0;
    const more = () => {
      const part = found.slice(shown, shown + PAGE);
      shown += part.length;
      const rest = events.length < total ? `, ${number(events.length)} of ${number(total)} are in this page` : "";
      return { events: part, more: shown < found.length, words: `${number(found.length)} of ${number(events.length)} events${rest}` };
    };
    return {
      types: [...new Set(events.map((event) => event.o).filter(Boolean))].sort(),
      more,
      find(wanted) {
        const search = wanted.search.toLowerCase(), connection = wanted.connection.trim().replace(/^#/, "");
        const from = Number.parseFloat(wanted.from) * 1e9;
        found = events.filter((event) => (!connection || String(event.c) === connection)
          && (!wanted.direction || (event.d || "none") === wanted.direction)
          && (!wanted.opcode || event.o === wanted.opcode)
          && (!(from === from) || event.t >= from)
          && (!search || words(event).toLowerCase().includes(search)));
        shown = 0;
        return more();
      },
    };
  };
  const served = ({ ask, types }) => {
    let wanted = {}, place = null, newest = 0;
    const fetched = async (extra) => {
      let told;
      try {
        const answer = await fetch(`${ask}?${new URLSearchParams({ ...wanted, ...extra })}`);
        if (!answer.ok) return { events: [], words: await answer.text() };
        told = await answer.json();
      } catch {
        return { events: [], words: "no connection to wsload: its run may be over" };
      }
      const all = wanted.follow ? "the newest that fit, " : "";
      return { ...told, words: `${all}${number(told.total)} events are kept so far` };
    };
    return {
      types,
      find(next) {
        wanted = next;
        place = null;
        return fetched({});
      },
      more: () => fetched(place ? { at: place[0], id: place[1] } : {}),
      since: () => fetched({ seen: newest }),
      shown(told) {
        newest = told.total ?? newest;
        place = told.last ?? place;
      },
    };
  };
  const source = data.ask ? served(data) : kept(data);

  const append = (events) => {
    const part = document.createDocumentFragment();
    for (const event of events) {
      part.append(row(event, last));
      last = event;
    }
    list.append(part);
  };
  // Questions overtake each other: only the answer to the last one is shown.
  const put = async (asked, first) => {
    const mine = ++turn;
    const told = await asked;
    if (mine !== turn) return;
    source.shown?.(told);
    if (first) {
      list.replaceChildren();
      last = null;
    }
    append(told.events);
    // What changes each second is not read out.
    count.setAttribute("aria-live", following() ? "off" : "polite");
    count.textContent = told.words;
    // Of a run that goes on there may be more at any time.
    more.hidden = data.ask ? following() : !told.more;
    if (following()) list.scrollTop = list.scrollHeight;
  };
  const following = () => form.elements.follow?.checked ?? false;
  const filter = () => {
    remember();
    return put(source.find(Object.fromEntries(new FormData(form))), true);
  };
  // A page that is loaded again looks for the same.
  const MEMORY = "wsload-filters";
  const remember = () => {
    if (data.ask) sessionStorage.setItem(MEMORY, JSON.stringify(Object.fromEntries(new FormData(form))));
  };
  const recall = () => {
    const known = data.ask && JSON.parse(sessionStorage.getItem(MEMORY) ?? "null");
    if (!known) return;
    for (const name of ["search", "connection", "direction", "opcode", "from"]) form.elements[name].value = known[name] ?? "";
    form.elements.follow.checked = "follow" in known;
  };
  for (const name of source.types) {
    const option = document.createElement("option");
    option.value = option.textContent = name;
    form.elements.opcode.append(option);
  }
  let waiting = 0;
  form.addEventListener("input", () => {
    if (!data.ask) { filter(); return; }
    // Not for every letter.
    clearTimeout(waiting);
    waiting = setTimeout(filter, 150);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => put(source.more(), false));
  window.addEventListener("wsload-jump", (event) => {
    form.elements.from.value = `${Math.max(event.detail, 0).toFixed(3)} s`;
    if (form.elements.follow) form.elements.follow.checked = false;
    filter();
    document.getElementById("timeline").scrollIntoView();
  });
  // The run has gone on. Nothing moves under the hand of somebody who reads a message.
  let busy = false;
  window.addEventListener("wsload-news", async () => {
    if (!following() || busy) return;
    if (list.querySelector("[aria-expanded=true]") || list.contains(document.activeElement)) {
      if (!count.textContent.endsWith("paused")) count.textContent += ", paused";
      return;
    }
    busy = true;
    try {
      await put(source.since(), false);
      while (list.childElementCount > PAGE) list.firstElementChild.remove();
    } finally { busy = false; }
  });
  recall();
  filter();
})();
