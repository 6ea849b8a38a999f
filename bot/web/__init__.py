"""The HTTP side of a process: the messengers' webhooks, health, metrics. One FastAPI app, on loopback by default.

    app = make_app(Parts(roles={"receiver"}, engine=…, channels=…, receive=…))
    async with serving(app, settings.http_host, settings.http_port) as address:

Only `/hooks/` belongs behind a public address.
"""

from bot.web.app import make_app as make_app
from bot.web.parts import Parts as Parts
from bot.web.serving import serving as serving
