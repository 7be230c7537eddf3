"""The tools, in the order of the tables."""

from benchmarks.peers.tool import Tool
from benchmarks.peers.tools.artillery import Artillery, ArtilleryScript
from benchmarks.peers.tools.gatling import Gatling
from benchmarks.peers.tools.k6 import K6
from benchmarks.peers.tools.locust import Locust
from benchmarks.peers.tools.native import Floor, Gcannon, Tcpkali
from benchmarks.peers.tools.plain import Aiohttp, Picows, Websockets
from benchmarks.peers.tools.tsung import Tsung
from benchmarks.peers.tools.wsload import Wsload

TOOLS: tuple[Tool, ...] = (
    Wsload(),
    Floor(),
    Gcannon(),
    Tcpkali(),
    Picows(),
    Aiohttp(),
    Websockets(),
    K6(),
    Gatling(),
    Tsung(),
    Artillery(),
    ArtilleryScript(),
    Locust(),
)
