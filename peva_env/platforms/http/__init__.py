"""Any HTTP services at addresses of their own: functions of any platform, containers, or plain servers.

What must always hold:

- Nothing is deployed, started, scaled or removed.
- A service that answers, whatever it answers, is there; one that refuses connections is not, and that is not overload.
- Secrets (values of ``headers_env``, query strings of addresses) enter no description and no message.
"""

from peva_env.platforms.http.node import HttpNode
from peva_env.platforms.http.service import HttpService

__all__ = ["HttpNode", "HttpService"]
