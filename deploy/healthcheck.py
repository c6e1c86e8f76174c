"""Exits 0 where the service of this container answers /livez, 1 where it doesn't."""

import os
import sys
import urllib.request

port = os.environ.get("CHEQUE_METRICS_PORT") or "8081"
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=4) as answer:
        sys.exit(answer.status != 200)
except OSError:
    sys.exit(1)
