"""The addresses of a served model."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from hoego.serve import pages, protocol_v2, telemetry
from hoego.serve.bodies import SentPhoto, photos_of, read_body
from hoego.serve.options import RequestProblem
from hoego.serve.service import Service
from hoego.version import version

Handler = Callable[[Service, Request], Awaitable[Response]]
log = logging.getLogger("hoego.serve")
OPEN = frozenset({"/", "/docs", "/openapi.json", "/static/{name}", "/v2/health/live", "/v2/health/ready"})
"""Addresses that are answered without a token: they give counts, and nothing of a photo."""


async def predict(service: Service, request: Request) -> Response:
    """Answer the photos of a request."""
    with service.held.of_request() as take:
        body = await read_body(request, service.options, take)
        sent = photos_of(body, request.headers.get("content-type", ""), service.options)
        if len(sent) == 1 and "name" in request.query_params:
            sent = [SentPhoto(request.query_params["name"][:255], sent[0].data)]
        answers = await service.answers(sent)
    manifest = service.model.exported.manifest
    return JSONResponse({"model": service.model.name, "digest": manifest.digest, "answers": answers})


async def infer(service: Service, request: Request) -> Response:
    """Answer a request of the Open Inference Protocol."""
    _require_model(service, request)
    model, most = service.model, service.options.photos
    with service.held.of_request() as take:
        body = await read_body(request, service.options, take)
        length = request.headers.get(protocol_v2.LENGTH)
        asked = protocol_v2.read_infer(body, length, model.exported.manifest.size, model.outputs)
        if len(asked.photos) > most:
            raise RequestProblem(413, f"A request may hold {most} photos, not {len(asked.photos)}.")
        found = await service.outputs(asked.photos)
    content, headers = protocol_v2.answer(asked, model.name, found)
    return Response(content, headers=headers)


async def model_metadata(service: Service, request: Request) -> Response:
    """Describe the inputs and outputs."""
    _require_model(service, request)
    model = service.model
    classes = {n: model.exported.schema.n_classes(n.removeprefix("calibrated.")) for n in model.outputs}
    return JSONResponse(protocol_v2.metadata(model.name, model.exported.manifest.size, classes))


async def model_ready(service: Service, request: Request) -> Response:
    """Say whether the model takes requests."""
    _require_model(service, request)
    return await ready(service, request)


async def server_metadata(service: Service, request: Request) -> Response:
    """Describe the server."""
    return JSONResponse({"name": "hoego", "version": version(), "extensions": ["binary_tensor_data"]})


async def live(service: Service, request: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"live": True})


async def ready(service: Service, request: Request) -> Response:
    """Say whether new requests are taken."""
    return JSONResponse({"ready": not service.draining}, 503 if service.draining else 200)


async def metrics(service: Service, request: Request) -> Response:
    """Give all numbers to Prometheus."""
    digest = service.model.exported.manifest.digest
    text = service.telemetry.text(service.queue, service.drift, digest)
    return PlainTextResponse(text, media_type=telemetry.TYPE)


async def drift(service: Service, request: Request) -> Response:
    """Compare the photos of today with the held-out ones."""
    return JSONResponse([report.model_dump(mode="json") for report in service.drift.reports()])


async def card(service: Service, request: Request) -> Response:
    """Show the model card, with a place to drop a photo on."""
    return HTMLResponse(pages.card_page(service), headers=pages.HEADERS)


async def docs(service: Service, request: Request) -> Response:
    """Show the addresses."""
    return HTMLResponse(pages.docs_page(service), headers=pages.HEADERS)


async def openapi(service: Service, request: Request) -> Response:
    """Describe the addresses as OpenAPI."""
    return JSONResponse(pages.openapi(service))


async def static(service: Service, request: Request) -> Response:
    """Send a file of the page."""
    found = pages.static_file(request.path_params["name"])
    if found is None:
        raise RequestProblem(404, "There is nothing at this address; see /docs.")
    return Response(found[0], media_type=found[1], headers=pages.HEADERS)


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/predict", predict),
    ("GET", "/", card),
    ("GET", "/docs", docs),
    ("GET", "/openapi.json", openapi),
    ("GET", "/static/{name}", static),
    ("GET", "/metrics", metrics),
    ("GET", "/drift", drift),
    ("GET", "/v2", server_metadata),
    ("GET", "/v2/health/live", live),
    ("GET", "/v2/health/ready", ready),
    ("GET", "/v2/models/{model}", model_metadata),
    ("GET", "/v2/models/{model}/versions/{version}", model_metadata),
    ("GET", "/v2/models/{model}/ready", model_ready),
    ("GET", "/v2/models/{model}/versions/{version}/ready", model_ready),
    ("POST", "/v2/models/{model}/infer", infer),
    ("POST", "/v2/models/{model}/versions/{version}/infer", infer),
)


def make_app(service: Service) -> Starlette:
    """Build the application of a service; its life is that of the service's queue."""
    routes = [
        Route(path, _endpoint(service, path, handler), methods=[method]) for method, path, handler in ROUTES
    ]
    problems: dict[Any, Any] = {
        404: lambda request, error: _refused(
            RequestProblem(404, "There is nothing at this address; see /docs.")
        ),
        405: lambda request, error: _refused(
            RequestProblem(
                405, f"{request.method} is not answered here; see /docs.", dict(error.headers or {})
            )
        ),
    }
    return Starlette(routes=routes, lifespan=service.running, exception_handlers=problems)


def _endpoint(service: Service, path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        start = time.perf_counter()
        response = await _answer(service, path, handler, request)
        service.telemetry.request(path, response.status_code, time.perf_counter() - start)
        if service.draining:
            response.headers["connection"] = "close"
        return response

    return answered


async def _answer(service: Service, path: str, handler: Handler, request: Request) -> Response:
    try:
        if path not in OPEN:
            _require_token(service.options.token, request)
        async with asyncio.timeout(service.options.seconds):
            return await handler(service, request)
    except RequestProblem as problem:
        return _refused(problem)
    except TimeoutError:
        return _refused(
            RequestProblem(
                504,
                f"There was no answer within {service.options.seconds:g} seconds.",
                {"connection": "close"},
            )
        )
    except ClientDisconnect:
        return _refused(RequestProblem(400, "The request ended early."))
    except Exception:
        log.exception("An error of the service itself")
        return _refused(RequestProblem(500, "The service itself failed; its log says how."))


def _refused(problem: RequestProblem) -> Response:
    return Response(
        json.dumps({"error": problem.sentence}),
        problem.status,
        headers=problem.headers,
        media_type="application/json",
    )


def _require_token(token: str, request: Request) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())
    if token and not known:
        raise RequestProblem(
            401, "Send the service's token: Authorization: Bearer TOKEN.", {"www-authenticate": "Bearer"}
        )


def _require_model(service: Service, request: Request) -> None:
    asked = request.path_params["model"]
    if asked != service.model.name or request.path_params.get("version", "1") != "1":
        raise RequestProblem(404, f"There is no such model; this is {service.model.name}, version 1.")
