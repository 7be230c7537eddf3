"""The scenarios that `wsload init` writes."""

STARTER = """\
# A wsload scenario. Check it: `wsload check FILE`; run it: `wsload run FILE`.
# It works against the embedded server: `wsload serve echo --port 9000`.
name: starter
target: ws://{{host}}/

variables:
  host: localhost:9000
  room: lobby
  token: change-me          # or from outside: --var token=..., --env-file FILE
secrets: [token]            # never stored, never printed

# environments:             # chosen by --env staging
#   staging: {host: staging.internal}
# data: {file: users.csv}   # a row for each connection; its columns are variables
# headers: {Authorization: "Bearer {{token}}"}

messages:                   # by name, for the steps below
  say:
    json: {id: "{{$id}}", type: say, room: "{{room}}", text: "{{$randomString(16)}}"}
    reply: {match: {json: $.id}, within: 2s}    # the message that holds the same id answers it

on_open:                    # on each new connection: log in, subscribe
  - send: {name: login, json: {type: login, token: "{{token}}"}}
    expect: {json: {$.type: login}, within: 2s, capture: {kind: $.type}}
  - send: {name: subscribe, json: {type: subscribe, room: "{{room}}"}}
    expect: {contains: subscribe, within: 2s}

iterate:                    # what the schedule starts; without a rate, again and again
  - send: say

on_message:                 # at any time, wherever the steps stand
  - when: {json: {$.type: ping}}
    send: {json: {type: pong}}

load:
  connections: 10
  duration: 10s
  # rate: 1k/s              # open loop: iterations are due on a schedule

thresholds:                 # exit code 99 where one does not hold
  - response[say].p99 < 200ms
  - unanswered == 0
"""

PYTHON_STARTER = """\
# A wsload scenario in Python. Check it: `wsload check FILE`; run it: `wsload run FILE`. docs/scripts.md has the rest.
# It works against the embedded server: `wsload serve echo --port 9000`.
import wsload


@wsload.script(
    target="ws://{{host}}/",
    # From outside: --var token=..., --env-file FILE. Secrets are never stored, never printed.
    variables={"host": "localhost:9000", "token": "change-me"},
    secrets=["token"],
    # "rate": "1k/s" makes it an open loop: iterations are due on a schedule.
    load={"connections": 10, "duration": "10s"},
    on_message=[{"when": {"json": {"$.type": "ping"}}, "send": {"json": {"type": "pong"}}}],
    thresholds=["response[say].p99 < 200ms", "unanswered == 0"],
)
async def chat(ws: wsload.Connection) -> None:
    hello = await ws.request({"type": "login", "token": ws.variables["token"]}, name="login")
    hello.expect(json={"$.type": "login"})
    async for _ in ws.iterations():
        message = {"id": ws.next_id(), "type": "say", "text": f"{ws.random.getrandbits(64):x}"}
        await ws.request(message, match="json:$.id", name="say", within="2s")
"""
