"""Starlette's static files under /static, from the folder that BENCH_STATIC names."""

import os

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

app = Starlette(routes=[Mount("/static", StaticFiles(directory=os.environ["BENCH_STATIC"]))])
