# ruff: noqa: E501
"""Mistakes in scenario files: the file, and all that is said about it. It is held by test_bad_cases.py."""

FILES: dict[str, bytes] = {
    "empty.csv": b"",
    "head.csv": b"user,token\n",
    "ragged.csv": b"user,token\nann,1\nbob\n",
    "latin.csv": b"user\nan\xf6\n",
    "twice.csv": b"user,user\na,b\n",
    "broken.json": b'[{"a": 1},\n {"a": }]',
    "object.json": b'{"a": 1}',
}
"""What lies beside the scenario."""

BAD_CASES: list[tuple[str, str, str]] = [
    ("empty file", "", "s.yaml:1:1: the file is empty\n`wsload init` writes one to start from."),
    ("only a comment", "# nothing\n", "s.yaml:1:1: the file is empty\n`wsload init` writes one to start from."),
    (
        "a list",
        "- target: ws://h/\n",
        "s.yaml:1:1: a scenario is keys with values\nBegin with 'target: ws://host:port/path'.",
    ),
    (
        "tab",
        "target: ws://h/\nload:\n\tconnections: 3\n",
        "s.yaml:3:1: not YAML: found character '\\t' that cannot start any token\nIndent by spaces, not by tabs.",
    ),
    (
        "unclosed quote",
        'target: "ws://h/\n',
        "s.yaml:2:1: not YAML: found unexpected end of stream\nLook for a missing quote, bracket or space around there.",
    ),
    (
        "unclosed bracket",
        "target: ws://h/\niterate: [{send: {text: hi}\n",
        "s.yaml:3:1: not YAML: expected ',' or '}', but got '<stream end>'\nLook for a missing quote, bracket or space around there.",
    ),
    (
        "colon in plain text",
        "target: ws://h/\nname: chat: the second\n",
        "s.yaml:2:11: not YAML: mapping values are not allowed here\nPut text that holds ': ' in quotes.",
    ),
    (
        "unknown alias",
        "target: ws://h/\niterate: *steps\n",
        "s.yaml:2:10: not YAML: found undefined alias 'steps'\nName an &anchor that stands above.",
    ),
    (
        "two documents",
        "target: ws://h/\n---\ntarget: ws://h/\n",
        "s.yaml:2:1: not YAML: but found another document\nA file holds one scenario: drop the '---'.",
    ),
    (
        "control character",
        "target: ws://h/\nname: a\x07b\n",
        's.yaml:2:1: not YAML: it holds a character that YAML does not allow\nWrite it as an escape in double quotes, such as "\\x07".',
    ),
    (
        "key twice",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ntarget: ws://i/\n",
        "s.yaml:3:1: the key 'target' is given twice, first in line 1\nDrop one of the two.",
    ),
    (
        "key twice inside",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {rate: 5, rate: 6}\n",
        "s.yaml:3:17: the key 'rate' is given twice, first in line 3\nDrop one of the two.",
    ),
    (
        "python tag",
        "target: ws://h/\nname: !!python/object/apply:os.system [ls]\n",
        "s.yaml:2:7: the tag '!!python/object/apply:os.system' is not allowed\nWrite the value without a tag.",
    ),
    (
        "braces without quotes",
        "target: {{url}}\n",
        's.yaml:1:10: a key must be text\nPut {{name}} in quotes: "{{name}}".',
    ),
    (
        "alias of itself",
        "target: ws://h/\nvariables: &a {x: *a}\n",
        "s.yaml:2:12: nested deeper than 64 levels\nFlatten it; an alias may hold itself.",
    ),
    (
        "billion laughs",
        "target: ws://h/\nvariables:\n  a: &a [x,x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n  d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n  e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n  f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n  g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
        "s.yaml:3:22: more than 200,000 values, aliases expanded\nKeep rows in a data file.",
    ),
    (
        "no target",
        "iterate: [{send: {text: hi}}]\n",
        "s.yaml:1:1: target: is missing\nAdd it: 'target: ws://host:port/path'.",
    ),
    (
        "unknown key",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nlod: {connections: 3}\n",
        "s.yaml:3:1: lod: no such key here\nDid you mean load?",
    ),
    (
        "key of another case",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nVariables: {a: 1}\n",
        "s.yaml:3:1: Variables: no such key here\nDid you mean variables?",
    ),
    (
        "target is a list",
        "target: [ws://h/]\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: takes text, not a list\nPut it in quotes if it is meant as text.",
    ),
    (
        "http",
        "target: http://h/\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: http://h/ does not begin with ws:// or wss://\nA WebSocket address begins with ws://: ws://h/",
    ),
    (
        "no host",
        "target: ws:///x\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: ws:///x names no host\nWrite it as ws://host:port/path.",
    ),
    (
        "port",
        "target: ws://h:99999/\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: ws://h:99999/ has no valid port\nA port is a number from 1 to 65535.",
    ),
    (
        "unknown variable",
        "target: ws://{{hots}}/\nvariables: {host: a}\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: {{hots}}: no variable is called 'hots'\nDid you mean host? Known: host.",
    ),
    (
        "unknown variable, none known",
        "target: ws://{{host}}/\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: {{host}}: no variable is called 'host'\nSet it under 'variables:', or by --var.",
    ),
    (
        "row in the host",
        "target: ws://{{host}}/\ndata: {rows: [{host: a}]}\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: {{host}}: host and port must be known before the run\nhost is a column of the data.",
    ),
    (
        "secret in the host",
        "target: ws://{{host}}/\nvariables: {host: a}\nsecrets: [host]\niterate: [{send: {text: hi}}]\n",
        "s.yaml:1:9: target: {{host}}: a secret cannot stand here\nPut it into a header, the query or a message.",
    ),
    (
        "bad path",
        "target: ws://h/\nvariables: {user: {name: ann, tags: [a]}}\niterate: [{send: {text: '{{user.nam}}'}}]\n",
        "s.yaml:3:25: iterate[0].send.text: {{user.nam}}: user has no .nam\nDid you mean name? It has name, tags.",
    ),
    (
        "index beyond the list",
        "target: ws://h/\nvariables: {user: {tags: [a]}}\niterate: [{send: {text: '{{user.tags[3]}}'}}]\n",
        "s.yaml:3:25: iterate[0].send.text: {{user.tags[3]}}: user has no [3]\nIt has 1 items.",
    ),
    (
        "path into text",
        "target: ws://h/\nvariables: {user: ann}\niterate: [{send: {text: '{{user.name}}'}}]\n",
        "s.yaml:3:25: iterate[0].send.text: {{user.name}}: user has no .name\nIt is plain text, without parts.",
    ),
    (
        "path into a row",
        "target: ws://h/\ndata: {rows: [{user: {name: ann}}]}\niterate: [{send: {text: '{{user.nam}}'}}]\n",
        "s.yaml:3:25: iterate[0].send.text: {{user.nam}}: user has no .nam in row 1 of the data\nDid you mean name? It has name.",
    ),
    (
        "variables in a circle",
        "target: ws://{{a}}/\nvariables: {a: 'x{{b}}', b: 'y{{a}}'}\niterate: [{send: {text: hi}}]\n",
        "s.yaml:2:16: variables.a: it is made of itself: a → b → a\nGive one of them a value of its own.",
    ),
    (
        "placeholder without end",
        "target: ws://h/\niterate:\n  - send: {text: 'hi {{name'}\n",
        "s.yaml:3:18: iterate[0].send.text: '{{' has no '}}'\nWrite {{name}}; a literal '{{' is \\{{.",
    ),
    (
        "placeholder of nothing",
        "target: ws://h/\niterate:\n  - send: {text: 'hi {{ }}'}\n",
        "s.yaml:3:18: iterate[0].send.text: '{{}}' names nothing\nWrite {{name}}; a literal '{{' is \\{{.",
    ),
    (
        "no such filter",
        "target: ws://h/\nvariables: {name: a}\niterate: [{send: {text: '{{name|jsn}}'}}]\n",
        "s.yaml:3:25: iterate[0].send.text: {{name|jsn}}: no filter is called 'jsn'\nDid you mean json? It takes json, url, raw.",
    ),
    (
        "no such dynamic value",
        "target: ws://h/\niterate:\n  - send: {json: {id: '{{$idd}}'}}\n",
        "s.yaml:3:23: iterate[0].send.json.id: {{$idd}}: there is no $idd\nDid you mean $id? It takes $id, $seq, $conn, $iteration, $timestamp, $isoTimestamp, $sentNs, $uuid, $randomInt, $randomString, $randomEmail, $payload, $pick.",
    ),
    (
        "arguments",
        "target: ws://h/\niterate:\n  - send: {text: '{{$randomInt(5,1)}}'}\n",
        "s.yaml:3:11: iterate[0].send: the placeholder at byte 0: $randomInt takes two whole numbers, the lower first\nSee docs/scenarios.md for what placeholders take.",
    ),
    (
        "no name",
        "target: ws://h/\niterate:\n  - send: {text: '{{9lives}}'}\n",
        "s.yaml:3:18: iterate[0].send.text: {{9lives}} is no name of a variable\nWrite {{name}}, or {{user.tags[0]}}.",
    ),
    (
        "dynamic value before the run",
        "target: ws://{{host}}/\nvariables: {host: 'h{{$conn}}'}\niterate: [{send: {text: hi}}]\n",
        "s.yaml:2:19: variables.host: {{$conn}}: a variable's value must be known before the run\nName a variable that has a value before the run.",
    ),
    (
        "unknown secret",
        "target: ws://h/\nvariables: {token: a}\nsecrets: [tokn]\niterate: [{send: {text: hi}}]\n",
        "s.yaml:3:11: secrets[0]: no variable is called 'tokn'\nDid you mean token? Known: token.",
    ),
    (
        "connections",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {connections: many}\n",
        "s.yaml:3:21: load.connections: 'many' is not a whole number\nWrite it in digits or with k or M: 1000, 50k, 1M.",
    ),
    (
        "no connections",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {connections: 0}\n",
        "s.yaml:3:21: load.connections: 0 connections\nIt takes at least 1 and at most 10,000,000.",
    ),
    (
        "duration without unit",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {duration: 10}\n",
        "s.yaml:3:18: load.duration: '10' is not a duration\nWrite a number with its unit, such as 30s, 250ms or 1h30m.",
    ),
    (
        "rate",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {rate: fast}\n",
        "s.yaml:3:14: load.rate: 'fast' is not a rate\nWrite a number per second, minute or hour: 20k/s, 500, 600/m.",
    ),
    (
        "word",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {rate: 5, arrivals: poison}\n",
        "s.yaml:3:27: load.arrivals: 'poison' is none of its words\nDid you mean poisson? It takes constant, poisson.",
    ),
    (
        "arrivals without rate",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {arrivals: poisson}\n",
        "s.yaml:3:18: load.arrivals: without rate there is no schedule\nAdd rate or rate_per_connection.",
    ),
    (
        "stage without target",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {stages: [{duration: 5s}]}\n",
        "s.yaml:3:17: load.stages[0].target: is missing\nAdd it: 'target: …'.",
    ),
    (
        "stages and rate",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {rate: 5, stages: [{duration: 5s, target: 6}]}\n",
        "s.yaml:3:14: load.rate: stages is given as well\nStages set it: drop one of the two.",
    ),
    (
        "think in an open loop",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: {rate: 5, think: 1s}\n",
        "s.yaml:3:24: load.think: rate makes the loop open\nUsers who think are a closed loop; an open loop with pauses has think among its steps. Drop one of the two.",
    ),
    (
        "in_flight with several steps",
        "target: ws://h/\niterate: [{send: {text: a}}, {think: 1s}]\nload: {in_flight: 4}\n",
        "s.yaml:3:19: load.in_flight: only iterations of one send without expect may overlap\nDrop it: an iteration of several steps runs one at a time.",
    ),
    (
        "load is text",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nload: heavy\n",
        "s.yaml:3:7: load: takes keys with values, not text\nWrite 'key: value' lines below it.",
    ),
    (
        "nothing to do",
        "target: ws://h/\n",
        "s.yaml:1:1: nothing is done\nAdd 'iterate:' with steps, such as '- send: {text: hello}'.",
    ),
    (
        "steps are a mapping",
        "target: ws://h/\niterate: {send: {text: a}}\n",
        "s.yaml:2:10: iterate: takes a list, not keys with values\nBegin each item with '- '.",
    ),
    (
        "step without an action",
        "target: ws://h/\niterate:\n  - {}\n",
        "s.yaml:3:5: iterate[0]: a step without anything to do\nIt takes send, expect, wait_for, think, repeat, for_each, if, set, close, reconnect, ping.",
    ),
    (
        "two actions in a step",
        "target: ws://h/\niterate:\n  - {send: {text: a}, think: 1s}\n",
        "s.yaml:3:23: iterate[0].think: think and send are one step\nBegin a step of its own: '- think: …'.",
    ),
    (
        "unknown step",
        "target: ws://h/\niterate:\n  - sned: {text: a}\n",
        "s.yaml:3:5: iterate[0].sned: no such key here\nDid you mean send? It takes send, expect, wait_for, think, repeat, for_each, if, set, close, reconnect, ping.",
    ),
    (
        "unknown word as a step",
        "target: ws://h/\niterate:\n  - sleep\n",
        "s.yaml:3:5: iterate[0].sleep: no such key here\nDid you mean set? It takes send, expect, wait_for, think, repeat, for_each, if, set, close, reconnect, ping.",
    ),
    (
        "unknown message",
        "target: ws://h/\nmessages: {say: {text: a}}\niterate: [{send: sya}]\n",
        "s.yaml:3:18: iterate[0].send: no message is called 'sya'\nDid you mean say? Saved: say.",
    ),
    (
        "message without payload",
        "target: ws://h/\niterate:\n  - send: {name: x}\n",
        "s.yaml:3:11: iterate[0].send: it has no payload\nA message has one of text, json, xml, html, hex, base64, file.",
    ),
    (
        "two payloads",
        "target: ws://h/\niterate:\n  - send: {text: a, json: {}}\n",
        "s.yaml:3:11: iterate[0].send: json: text is given as well\nA message has one of text, json, xml, html, hex, base64, file.",
    ),
    (
        "unknown payload",
        "target: ws://h/\niterate:\n  - send: {txt: a}\n",
        "s.yaml:3:12: iterate[0].send.txt: no such key here\nDid you mean text? It takes name, text, json, xml, html, hex, base64, file, binary, reply.",
    ),
    (
        "hex",
        "target: ws://h/\niterate:\n  - send: {hex: 0g}\n",
        "s.yaml:3:17: iterate[0].send.hex: it is not hexadecimal digits\nWrite it as '01ff'.",
    ),
    (
        "base64",
        "target: ws://h/\niterate:\n  - send: {base64: '***'}\n",
        "s.yaml:3:20: iterate[0].send.base64: it is not Base64\nWrite it as 'AQID'.",
    ),
    (
        "missing file",
        "target: ws://h/\niterate:\n  - send: {file: absent.bin}\n",
        "s.yaml:3:18: iterate[0].send.file: absent.bin: No such file or directory\nName a file that can be read.",
    ),
    (
        "file is not text",
        "target: ws://h/\niterate:\n  - send: {file: latin.csv}\n",
        "s.yaml:3:18: iterate[0].send.file: latin.csv is not UTF-8 text (byte 7)\nAdd 'binary: true' to send it as a binary message.",
    ),
    (
        "binary text",
        "target: ws://h/\niterate:\n  - send: {text: a, binary: true}\n",
        "s.yaml:3:21: iterate[0].send.binary: it belongs to file, not to text\nDrop it.",
    ),
    (
        "reply word",
        "target: ws://h/\niterate:\n  - send: {text: a, reply: echoo}\n",
        "s.yaml:3:28: iterate[0].send.reply: 'echoo' is none of its words\nDid you mean echo? It takes order, echo, none.",
    ),
    (
        "reply without a key",
        "target: ws://h/\niterate:\n  - send: {text: a, reply: {match: {}}}\n",
        "s.yaml:3:36: iterate[0].send.reply.match: it names no key, or more than one\nWrite {json: $.id}, {sent: $.id, received: $.re} or {regex: 'id=([0-9]+)'}.",
    ),
    (
        "reply path",
        "target: ws://h/\niterate:\n  - send: {json: {id: 1}, reply: {match: {json: '$.['}}}\n",
        "s.yaml:3:49: iterate[0].send.reply.match.json: \"$.[\" is no JSONPath query, at byte 2: in dot member name, must start with lowercase alpha or '_'\nWrite a JSONPath (RFC 9535), such as $.id or $.items[0].name.",
    ),
    (
        "reply expression",
        "target: ws://h/\niterate:\n  - send: {text: a, reply: {match: {regex: 'id=('}}}\n",
        's.yaml:3:44: iterate[0].send.reply.match.regex: "id=(" is no regular expression: unclosed group\nWrite it as Rust\'s regex crate takes it.',
    ),
    (
        "reply and expect",
        "target: ws://h/\niterate: [{send: {text: a, reply: order}, expect: {contains: a}}]\n",
        "s.yaml:2:43: iterate[0].expect: the message has a reply: that takes the answer\nDrop one of the two.",
    ),
    (
        "reply beside the steps",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_message: [{when: {contains: a}, send: {text: b, reply: order}}]\n",
        "s.yaml:3:52: on_message[0].send.reply: beside the steps nothing is awaited\nDrop it.",
    ),
    (
        "think",
        "target: ws://h/\niterate:\n  - think: long\n",
        "s.yaml:3:12: iterate[0].think: 'long' is not a duration\nWrite a number with its unit, such as 30s, 250ms or 1h30m.",
    ),
    (
        "repeat without times",
        "target: ws://h/\niterate:\n  - repeat: {steps: [ping]}\n",
        "s.yaml:3:5: iterate[0].repeat.times: is missing\nAdd it: 'times: …'.",
    ),
    (
        "repeat never",
        "target: ws://h/\niterate:\n  - repeat: {times: 0, steps: [ping]}\n",
        "s.yaml:3:21: iterate[0].repeat.times: 0 times\nIt takes 1 to 4,294,967,295.",
    ),
    (
        "for_each of nothing",
        "target: ws://h/\niterate:\n  - for_each: {variable: x, values: [], steps: [ping]}\n",
        "s.yaml:3:37: iterate[0].for_each.values: no values\nWrite at least one.",
    ),
    (
        "if without a test",
        "target: ws://h/\niterate:\n  - if: {value: a, then: [ping]}\n",
        "s.yaml:3:9: iterate[0].if: no test\nIt takes one of eq, ne, lt, le, gt, ge, contains, matches.",
    ),
    (
        "if without steps",
        "target: ws://h/\niterate:\n  - if: {value: a, eq: a}\n",
        "s.yaml:3:9: iterate[0].if: nothing is done\nAdd 'then:' with steps.",
    ),
    (
        "close code",
        "target: ws://h/\niterate:\n  - close: 1005\n",
        "s.yaml:3:12: iterate[0].close: 1005 must not be sent\nRFC 6455 allows 1000 to 1003, 1007 to 1014 and 3000 to 4999.",
    ),
    (
        "close reason",
        "target: ws://h/\niterate:\n  - close: {reason: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}\n",
        "s.yaml:3:12: iterate[0].close: it is too long\nA Close frame holds 123 bytes of it.",
    ),
    (
        "name of a variable",
        "target: ws://h/\niterate:\n  - set: {'1x': a}\n",
        "s.yaml:3:17: iterate[0].set.1x: '1x' is no name of a variable\nIt takes letters, digits, _ and -.",
    ),
    (
        "no such comparison",
        "target: ws://h/\niterate:\n  - expect: {json: {$.n: {gte: 3}}}\n",
        "s.yaml:3:27: iterate[0].expect.json.$.n.gte: no such test\nDid you mean gt? It takes eq, ne, lt, le, gt, ge, contains, matches, exists. To compare with an object write {eq: {…}}.",
    ),
    (
        "comparison with text",
        "target: ws://h/\niterate:\n  - expect: {json: {$.n: {gt: three}}}\n",
        "s.yaml:3:31: iterate[0].expect.json.$.n.gt: takes a number\nWrite {gt: 3}.",
    ),
    (
        "exists what",
        "target: ws://h/\niterate:\n  - expect: {json: {$.n: {exists: 1}}}\n",
        "s.yaml:3:35: iterate[0].expect.json.$.n.exists: takes true or false\nWrite {exists: true}.",
    ),
    (
        "JSONPath",
        "target: ws://h/\niterate:\n  - expect: {json: {'$.n[': 3}}\n",
        's.yaml:3:21: iterate[0].expect.json.$.n[: "$.n[" is no JSONPath query, at byte 3: parser error\nWrite a JSONPath (RFC 9535), such as $.id.',
    ),
    (
        "expression",
        "target: ws://h/\niterate:\n  - expect: {regex: '(a'}\n",
        's.yaml:3:21: iterate[0].expect.regex: "(a" is no regular expression: unclosed group\nWrite it as Rust\'s regex crate takes it.',
    ),
    (
        "row in an expression",
        "target: ws://h/\ndata: {rows: [{a: b}]}\niterate: [{expect: {regex: '{{a}}'}}]\n",
        "s.yaml:3:28: iterate[0].expect.regex: {{a}}: an expression must be known before the run\na is a column of the data.",
    ),
    (
        "JSON Schema",
        "target: ws://h/\niterate:\n  - expect: {schema: {type: strnig}}\n",
        "s.yaml:3:22: iterate[0].expect.schema: not a JSON Schema: \"strnig\" is not valid under any of the schemas listed in the 'anyOf' keyword\nSee json-schema.org for what it may hold.",
    ),
    (
        "type",
        "target: ws://h/\niterate:\n  - expect: {type: txt}\n",
        "s.yaml:3:20: iterate[0].expect.type: 'txt' is none of its words\nDid you mean text? It takes text, binary.",
    ),
    (
        "size",
        "target: ws://h/\niterate:\n  - expect: {size: {min: 5, max: 2}}\n",
        "s.yaml:3:20: iterate[0].expect.size: min is above max\nSwap the two.",
    ),
    (
        "size unit",
        "target: ws://h/\niterate:\n  - expect: {size: 5 stones}\n",
        "s.yaml:3:20: iterate[0].expect.size: '5 stones' is not a size\nWrite bytes or a unit: 32, 64KiB, 1MB.",
    ),
    (
        "not of two",
        "target: ws://h/\niterate:\n  - expect: {not: {contains: a, type: text}}\n",
        "s.yaml:3:19: iterate[0].expect.not: it takes one condition\nWrite 'not:' with one key, such as {contains: error}.",
    ),
    (
        "count",
        "target: ws://h/\niterate:\n  - expect: {count: 0}\n",
        "s.yaml:3:21: iterate[0].expect.count: 0 messages\nIt takes at least 1; for none write 'nothing: true'.",
    ),
    (
        "nothing and capture",
        "target: ws://h/\niterate:\n  - expect: {nothing: true, capture: {a: $.a}}\n",
        "s.yaml:3:14: iterate[0].expect.nothing: there is no message to count or capture from\nDrop it.",
    ),
    (
        "within",
        "target: ws://h/\niterate:\n  - expect: {within: 2}\n",
        "s.yaml:3:22: iterate[0].expect.within: '2' is not a duration\nWrite a number with its unit, such as 30s, 250ms or 1h30m.",
    ),
    (
        "capture path",
        "target: ws://h/\niterate:\n  - expect: {capture: {a: session}}\n",
        's.yaml:3:27: iterate[0].expect.capture.a: "session" is no JSONPath query, at byte 0: parser error\nWrite a JSONPath (RFC 9535), such as $.id or $.items[0].name.',
    ),
    (
        "capture of nothing",
        "target: ws://h/\niterate:\n  - expect: {capture: {a: {sticky: true}}}\n",
        "s.yaml:3:27: iterate[0].expect.capture.a: it names no part of a message, or more than one\nWrite $.path, {regex: 'id=([0-9]+)'} or {bytes: [0, 4]}.",
    ),
    (
        "capture bytes",
        "target: ws://h/\niterate:\n  - expect: {capture: {a: {bytes: [4, 4]}}}\n",
        "s.yaml:3:27: iterate[0].expect.capture.a: bytes 4 to 4 hold nothing\nWrite [first, one past the last].",
    ),
    (
        "capture one byte",
        "target: ws://h/\niterate:\n  - expect: {capture: {a: {bytes: [4]}}}\n",
        "s.yaml:3:35: iterate[0].expect.capture.a.bytes: takes two numbers\nWrite [0, 4].",
    ),
    (
        "captured part",
        "target: ws://h/\niterate: [{expect: {capture: {a: $.a}}}, {send: {text: '{{a.b}}'}}]\n",
        "s.yaml:2:56: iterate[1].send.text: {{a.b}}: a is captured as text\nCapture the part itself under a name.",
    ),
    (
        "rule without condition",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_message: [{when: {}, send: {text: a}}]\n",
        "s.yaml:3:21: on_message[0].when: it has no condition\nA rule without one would take every message.",
    ),
    (
        "rule without when",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_message: [{send: {text: a}}]\n",
        "s.yaml:3:14: on_message[0].when: is missing\nSay which messages: 'when: {json: {$.type: ping}}'.",
    ),
    (
        "rule that waits",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_message: [{when: {type: text}, think: 1s}]\n",
        "s.yaml:3:35: on_message[0].think: no such key here\nIt takes set, send, ping, close, reconnect, when, capture, continue.",
    ),
    (
        "prefix",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_message: [{when: {prefix: {hex: xy}}}]\n",
        "s.yaml:3:36: on_message[0].when.prefix.hex: it is not hexadecimal digits\nWrite it as '01ff'.",
    ),
    (
        "period",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nevery: {period: 0s, ping: true}\n",
        "s.yaml:3:8: every[0].period: too short\nIt takes at least 1ms.",
    ),
    (
        "every without a period",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nevery: {ping: true}\n",
        "s.yaml:3:1: every.period: is missing\nAdd it: 'period: 30s'.",
    ),
    (
        "a Close that nobody sends",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_close: [{when: {code: 42}, then: end}]\n",
        "s.yaml:3:26: on_close[0].when.code: '42': close codes go from 1000 to 4999\nWrite 1000, or 4000-4099 for all between. 1005 stands for no code, 1006 for an end without a Close.",
    ),
    (
        "a range of Closes the wrong way round",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_close: {when: {code: [1000, 4001-4000]}, then: end}\n",
        "s.yaml:3:32: on_close.when.code[1]: '4001-4000': close codes go from 1000 to 4999\nWrite 1000, or 4000-4099 for all between. 1005 stands for no code, 1006 for an end without a Close.",
    ),
    (
        "what a Close leads to",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_close: {when: {code: 1000}, then: reconect}\n",
        "s.yaml:3:38: on_close.then: 'reconect' is none of its words\nDid you mean reconnect? It takes ignore, reconnect, end.",
    ),
    (
        "the reason of a Close",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_close: {when: {reason: '('}, then: end}\n",
        's.yaml:3:11: on_close[0].when.reason: "(" is no regular expression: unclosed group\nWrite it as Rust\'s regex crate takes it.',
    ),
    (
        "the order of one message",
        "target: ws://h/\niterate: [{expect: {order: $.n}}]\n",
        "s.yaml:2:21: iterate[0].expect.order: one message has no order\nSay of how many: 'count: 3'.",
    ),
    (
        "the order of no path",
        "target: ws://h/\niterate: [{expect: {count: 2, order: n}}]\n",
        's.yaml:2:38: iterate[0].expect.order: "n" is no JSONPath query, at byte 0: parser error\nWrite a JSONPath (RFC 9535), such as $.id or $.items[0].name.',
    ),
    (
        "on_error",
        "target: ws://h/\niterate: [{send: {text: hi}}]\non_error: stop\n",
        "s.yaml:3:11: on_error: 'stop' is none of its words\nIt takes ignore, next, reconnect, abort.",
    ),
    (
        "users and steps",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nusers: [{name: a, iterate: [ping]}]\n",
        "s.yaml:2:1: iterate: users: is given as well\nMove it into one of the users.",
    ),
    (
        "two users of a name",
        "target: ws://h/\nusers: [{name: a, iterate: [ping]}, {name: a, iterate: [ping]}]\n",
        "s.yaml:2:44: users[1].name: two users are called 'a'\nGive each its own.",
    ),
    (
        "user without a name",
        "target: ws://h/\nusers: [{iterate: [ping]}]\n",
        "s.yaml:2:9: users[0].name: is missing\nAdd it: 'name: …'.",
    ),
    (
        "weights",
        "target: ws://h/\nusers: [{name: a, weight: 0, iterate: [ping]}]\n",
        "s.yaml:2:8: users: no user has a weight above 0\nGive one 'weight: 1'.",
    ),
    (
        "data without a source",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {bind: connection}\n",
        "s.yaml:3:7: data: it takes file or rows\nWrite 'file: users.csv'.",
    ),
    (
        "data file missing",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: absent.csv}\n",
        "s.yaml:3:14: data.file: absent.csv: No such file or directory\nName a file that can be read.",
    ),
    (
        "data file empty",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: empty.csv}\n",
        "s.yaml:3:14: data.file: empty.csv: it is empty\nWrite a line of names, then a line for each row.",
    ),
    (
        "data file without rows",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: head.csv}\n",
        "s.yaml:3:14: data.file: head.csv: it has no rows\nWrite at least one below the names.",
    ),
    (
        "data file ragged",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: ragged.csv}\n",
        "s.yaml:3:14: data.file: ragged.csv:3: 1 values in 2 columns\nEvery row has a value for each name; put text with commas in quotes.",
    ),
    (
        "data file not UTF-8",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: latin.csv}\n",
        "s.yaml:3:14: data.file: latin.csv:2: not UTF-8 (byte 7)\nConvert it: iconv -t UTF-8.",
    ),
    (
        "data file with a name twice",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: twice.csv}\n",
        "s.yaml:3:14: data.file: twice.csv:1: a column has no name, or the name of another\nThe first line holds the names of the columns, each once.",
    ),
    (
        "data file is no JSON",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: broken.json}\n",
        "s.yaml:3:14: data.file: broken.json:2:8: not JSON: Expecting value\nMend it there, or write CSV.",
    ),
    (
        "data file JSON of another kind",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {file: object.json}\n",
        's.yaml:3:14: data.file: object.json:1: no list of objects\nWrite [{"name": "value"}, …].',
    ),
    (
        "data rows that differ",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {rows: [{a: 1}, {b: 1}]}\n",
        "s.yaml:3:23: data.rows[1]: 'a' is not in every row\nAll rows have the same names.",
    ),
    (
        "data exhausted",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ndata: {rows: [{a: 1}], exhausted: again}\n",
        "s.yaml:3:35: data.exhausted: 'again' is none of its words\nIt takes recycle, stop, error.",
    ),
    (
        "JSON after substitution",
        "target: ws://h/\nvariables: {n: abc}\niterate: [{send: {json: {n: '{{n|raw}}'}}}]\n",
        "s.yaml:3:25: iterate[0].send.json: with the values of the variables it is not JSON: Expecting value: line 1 column 6 (char 5)\nLeave out |raw where a value is text.",
    ),
    (
        "JSON after substitution of a row",
        "target: ws://h/\ndata: {rows: [{n: abc}]}\niterate: [{send: {json: {n: '{{n|raw}}'}}}]\n",
        "s.yaml:3:25: iterate[0].send.json: with the values of the first row it is not JSON: Expecting value: line 1 column 6 (char 5)\nLeave out |raw where a value is text.",
    ),
    (
        "header name",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nheaders: {'a b': c}\n",
        "s.yaml:3:10: headers: a b is not a header name\nWrite 'Name: value'.",
    ),
    (
        "header of ours",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nheaders: {Upgrade: c}\n",
        "s.yaml:3:10: headers: Upgrade cannot be set\nLeave it out: wsload sends it, as RFC 6455 demands.",
    ),
    (
        "subprotocol",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nsubprotocols: [a b]\n",
        "s.yaml:3:15: subprotocols: 'a b' is not a token\nA subprotocol has no spaces or separators.",
    ),
    (
        "TLS without TLS",
        "target: ws://h/\niterate: [{send: {text: hi}}]\ntls: {insecure: true}\n",
        "s.yaml:3:17: tls.insecure: the target is not secured by TLS\nAim at wss://, or drop the key.",
    ),
    (
        "threshold metric",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nthresholds: [respons.p99 < 1s]\n",
        "s.yaml:3:14: thresholds[0]: 'respons.p99 < 1s', character 1: no metric is called 'respons'\nThe nearest is response. Metrics are response, service, send_lag, receive_lag, iteration, connect, connect_dns, connect_tcp, connect_tls, connect_upgrade, ping, recover, push_gap, fan_out_first, fan_out_each, fan_out_last, rate, due, sent, answered, received, pushes, unanswered, unsent, late, duplicates, forwarded, key_clashes, iterations, failed, asides.sent, asides.answered, asides.unanswered, reach, reordered, connections.opened, connections.failed, connections.lost, connections.expired, connections.matching_lost, connections.closed, reconnects, recover_attempts, failures, close.",
    ),
    (
        "threshold unit",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nthresholds: [response.p99 < 5]\n",
        "s.yaml:3:14: thresholds[0]: 'response.p99 < 5', character 16: '5' is not a duration\nWrite a time with its unit, such as 50ms.",
    ),
    (
        "seed",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nseed: xyz\n",
        "s.yaml:3:7: seed: 'xyz' is no hexadecimal number of 1 to 16 digits\nTry 7f3a.",
    ),
    (
        "ping_timeout",
        "target: ws://h/\niterate: [{send: {text: hi}}]\nping_timeout: 5s\n",
        "s.yaml:3:15: ping_timeout: no pings are sent\nAdd ping_interval, such as 30s.",
    ),
    ("several at once", "target: ws://h/\nlod: 3\n", "s.yaml:2:1: lod: no such key here\nDid you mean load?"),
    (
        "several in steps",
        "target: ws://h/\niterate:\n  - send: say\n  - expect: {regex: '('}\n  - send: {text: '{{who}}'}\n",
        "s.yaml:3:11: iterate[0].send: no message is called 'say'\nWrite {text: …} for a message of its own, or save one under 'messages:'.\ns.yaml:4:21: iterate[1].expect.regex: \"(\" is no regular expression: unclosed group\nWrite it as Rust's regex crate takes it.\ns.yaml:5:18: iterate[2].send.text: {{who}}: no variable is called 'who'\nSet it under 'variables:', or by --var.",
    ),
]
