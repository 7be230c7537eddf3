// k6/websockets with all connections of a virtual user on its event loop: the module's fast path.
// Environment: URL, CONNECTIONS, PER_VU, SECONDS, INTERVAL_MS (0: closed loop; below 0: idle).
import { WebSocket } from 'k6/websockets';
import { Trend } from 'k6/metrics';

const PER_VU = Number(__ENV.PER_VU);
const INTERVAL_MS = Number(__ENV.INTERVAL_MS);
const SECONDS = Number(__ENV.SECONDS);
const MESSAGE = 'x'.repeat(32);
const response = new Trend('response', true);

export const options = {
  scenarios: {
    load: {
      executor: 'per-vu-iterations',
      vus: Number(__ENV.CONNECTIONS) / PER_VU,
      iterations: 1,
      maxDuration: `${SECONDS + 10}s`,
      gracefulStop: '1s',
    },
  },
  summaryTrendStats: ['med', 'p(95)', 'p(99)'],
  discardResponseBodies: true,
};

export default function () {
  for (let i = 0; i < PER_VU; i++) connect();
}

function connect() {
  const socket = new WebSocket(__ENV.URL);
  const sent = [];
  let timer;
  const send = () => {
    sent.push(Date.now());
    socket.send(MESSAGE);
  };
  socket.onopen = () => {
    // Replies that are late are awaited for a second more.
    setTimeout(() => clearInterval(timer), SECONDS * 1000);
    setTimeout(() => socket.close(), SECONDS * 1000 + 1000);
    if (INTERVAL_MS === 0) send();
    if (INTERVAL_MS > 0) timer = setInterval(send, INTERVAL_MS);
  };
  // Replies come in the order of the messages.
  socket.onmessage = () => {
    response.add(Date.now() - sent.shift());
    if (INTERVAL_MS === 0) send();
  };
}
