// An echo server on npm `ws`, compressing when its argument is `deflate`. Prints its port, and at the end of its input how many messages it has echoed.
"use strict";
const { WebSocketServer } = require("ws");

let messages = 0;
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: process.argv.includes("deflate") && { threshold: 0 } }, () => {
  console.log(server.address().port);
});
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => {
    messages += 1;
    socket.send(data, { binary: isBinary });
  });
});
process.stdin.on("end", () => {
  console.log(messages);
  process.exit(0);
});
process.stdin.resume();
