"""What an application says of itself holds: requests made of its schema find no other answer.

schemathesis makes them, valid ones and broken ones, the same in every run, and checks that each
answer has a status, a type and a body that the schema declares, and is never a 500.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from rich_app import app

from hoopsnake._server_config import ServerConfig
from hoopsnake.web._test_client.served import ServedInThread

schemathesis = pytest.importorskip("schemathesis")
openapi_checks = pytest.importorskip("schemathesis.specs.openapi.checks")

# Many for what a minute may take, few for what might be found: a change here is worth a long run.
EXAMPLES = 40

# Not whether all that the schema allows is taken, and no more: pydantic takes more than a schema
# can say ("0" is a day to it, 1970-01-01), and less (its schema of decimals allows an empty text).
CHECKS = (
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.unsupported_method,
)

schema = schemathesis.openapi.from_dict(app.openapi())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the application is served."""
    served = ServedInThread(app, ServerConfig(port=0), False)
    served.start()
    yield f"http://127.0.0.1:{served.port}"
    served.end()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    # The seed is the test itself.
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_schema_declares(case: Any, url: str) -> None:
    case.call_and_validate(base_url=url, timeout=20, checks=CHECKS)
