// A function as the only step of an Artillery scenario: a `ws` script with Artillery around it, which is its fast path.
// The engine's own steps (`send` with `match`) leave a timer behind for every message and report no response time. Environment: SECONDS, INTERVAL_MS (0: closed; below 0: idle).
'use strict';

const SECONDS = Number(process.env.SECONDS);
const INTERVAL_MS = Number(process.env.INTERVAL_MS);
const MESSAGE = 'x'.repeat(32);

function load(context, events, done) {
  const { ws } = context;
  const sent = [];
  let timer;
  const send = () => {
    sent.push(performance.now());
    ws.send(MESSAGE);
  };
  ws.onmessage = () => {
    events.emit('histogram', 'response', performance.now() - sent.shift());
    if (INTERVAL_MS === 0) send();
  };
  if (INTERVAL_MS === 0) send();
  if (INTERVAL_MS > 0) timer = setInterval(send, INTERVAL_MS);
  // Replies that are late are awaited for a second more.
  setTimeout(() => clearInterval(timer), SECONDS * 1000);
  setTimeout(() => {
    ws.onmessage = undefined;
    done();
  }, SECONDS * 1000 + 1000);
}

module.exports = { load };
