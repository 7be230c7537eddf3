"""How a service is reached: the flags that `connect` and `replay` share, told once."""

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsload.cli import flags, values
from wsload.cli.choices import TlsVersion
from wsload.units import parse_duration

if TYPE_CHECKING:
    from wsload.scenario import LoadModel, Scenario


def _flags(
    header: flags.HeaderFlag = None,
    param: flags.Param = None,
    cookie: flags.Cookie = None,
    user: flags.User = None,
    bearer: flags.Bearer = None,
    subprotocol: flags.Subprotocol = None,
    origin: flags.Origin = None,
    cacert: flags.CaCert = None,
    cert: flags.Cert = None,
    key: flags.Key = None,
    insecure: flags.Insecure = False,
    sni: flags.Sni = None,
    tls_min: flags.TlsMin = TlsVersion.V1_2,
    tls_max: flags.TlsMax = TlsVersion.V1_3,
    connect_to: flags.ConnectTo = None,
    proxy: flags.ProxyFlag = None,
    connect_timeout: flags.ConnectTimeout = "10s",
) -> None:
    """Not called: its parameters are the flags."""


_PARAMETERS = tuple(inspect.signature(_flags).parameters.values())


@dataclass(frozen=True, slots=True)
class Reach:
    """What was given for these flags, by their names."""

    given: dict[str, Any]

    def scenario(self, url: str, load: "LoadModel", **rest: Any) -> "Scenario":
        """A scenario of connections to a URL; `rest` are other fields of it.

        Raises:
            UsageError: a flag that cannot be.
        """
        from wsload.scenario import Scenario, TlsOptions, environment_proxy, parse_address, parse_proxy

        given = self.given
        through, proxy = None, given["proxy"]
        if proxy is not None:
            of_environment = proxy == "env"
            environment = dict(os.environ)
            through = environment_proxy(parse_address(url, []), environment) if of_environment else parse_proxy(proxy)
        tls = {
            "server_name": given["sni"],
            "min_version": given["tls_min"].value,
            "max_version": given["tls_max"].value,
        }
        return Scenario(
            target=url,
            params=values.pairs("--param", given["param"]),
            headers=values.headers(given["header"]),
            connect_to=(given["connect_to"],) if given["connect_to"] else (),
            cookies=values.pairs("--cookie", given["cookie"]),
            subprotocols=tuple(given["subprotocol"] or ()),
            proxy=through,
            tls=TlsOptions(**tls, **{name: given[name] for name in ("cacert", "cert", "key", "insecure")}),
            load=load,
            connect_timeout_ns=values.quantity("--connect-timeout", parse_duration, given["connect_timeout"]),
            **{name: given[name] for name in ("user", "bearer", "origin")},
            **rest,
        )


def reaching(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameter `reach` stands for these flags, which take its place in `--help`."""
    own = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        parameters += _PARAMETERS if parameter.name == "reach" else (parameter,)
    names = {parameter.name for parameter in _PARAMETERS}

    @functools.wraps(command)
    def with_flags(**given: Any) -> int:
        reach = Reach({name: value for name, value in given.items() if name in names})
        return command(**{name: value for name, value in given.items() if name not in names}, reach=reach)

    # Typer reads the signature; hints of what was wrapped would name `reach`.
    keyword = inspect.Parameter.KEYWORD_ONLY
    with_flags.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[parameter.replace(kind=keyword) for parameter in parameters]
    )
    with_flags.__annotations__ = {}
    return with_flags
