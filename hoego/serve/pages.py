"""Pages: the model card with a drop zone, the addresses, and their description as OpenAPI."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from hoego.draw import page
from hoego.exported.card import html
from hoego.serve.service import Service
from hoego.version import version

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript"}
PROBLEMS = {
    400: "the body cannot be read, or holds no photo",
    401: "no token, or another one",
    413: "too many bytes, photos or pixels",
    415: "the content is of no kind that is read",
    422: "a photo is damaged, ends early or is animated",
    503: "the queue is full; Retry-After says when to come again",
    504: "no answer within the time limit",
}


def static_file(name: str) -> tuple[bytes, str] | None:
    """Return a file of the page with its media type; None where there is none of that name."""
    found = {p.name: p for p in STATIC.iterdir() if p.suffix in TYPES}.get(name)
    return None if found is None else (found.read_bytes(), TYPES[found.suffix])


def card_page(service: Service) -> str:
    """Return the card, with a place to drop a photo on, what is promised, and what has moved."""
    model = service.model
    promises = "".join(f"<li>{escape(text)}</li>" for text in model.promises)
    rows = "".join(
        f"<tr><td>{r.quantity}</td><td>{r.n_images:,}</td><td>{r.verdict}</td><td>{escape(_moved(r.bins))}</td></tr>"
        for r in service.drift.reports()
    )
    asks = '<label> token <input type="password" autocomplete="off"></label>' if service.options.token else ""
    above = (
        '<div id="drop" class="card"><label>Drop a photo here, or choose one: '
        f'<input type="file" accept="image/*"></label>{asks}<div id="answer" aria-live="polite"></div></div>'
        f"<h2>What is promised</h2><ul>{promises}</ul>"
        '<h2>In use</h2><div class="scroll"><table><tr><th>histogram</th><th>photos</th>'
        f"<th>beside the held-out ones</th><th>moved</th></tr>{rows}</table></div>"
        '<p class="muted">No photo is stored. <a href="/docs">addresses</a></p>'
    )
    head = '<script src="/static/drop.js" defer></script>'
    return html(model.exported.manifest, model.exported.preprocessing, above=above, head=head)


def docs_page(service: Service) -> str:
    """Return the addresses as a page."""
    described = openapi(service)
    parts = [f"<h1>{escape(service.model.name)}</h1>", '<p><a href="/openapi.json">openapi.json</a></p>']
    for path, operations in described["paths"].items():
        for method, said in operations.items():
            parts.append(
                f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(said['summary'])}</p>"
            )
            rows = "".join(
                f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>"
                for status, answer in said["responses"].items()
            )
            parts.append(f"<table><tr><th>status</th><th></th></tr>{rows}</table>")
    return page(f"{service.model.name}: addresses", "\n".join(parts))


def openapi(service: Service) -> dict[str, Any]:
    """Return the description of the addresses, OpenAPI 3.1."""
    name = service.model.name
    tensors = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    predict = _operation("Say what photos show.", "answers", _answers_schema(), PROBLEMS)
    infer = _operation(
        "Open Inference Protocol: tensors in, tensors out.", "tensors", {"type": "object"}, PROBLEMS
    )
    gets = {
        "/": "The model card, with a place to drop a photo on.",
        "/metrics": "Numbers for Prometheus.",
        "/drift": "Histograms of today beside the held-out photos.",
        "/v2": "The server.",
        "/v2/health/live": "Whether the process answers.",
        "/v2/health/ready": "Whether requests are taken; 503 while it ends.",
        f"/v2/models/{name}": "Inputs and outputs of the model.",
        f"/v2/models/{name}/ready": "Whether the model takes requests.",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version(), "description": service.model.exported.manifest.digest},
        "paths": {
            "/predict": {"post": {**predict, "requestBody": _photos_body()}},
            f"/v2/models/{name}/infer": {"post": {**infer, "requestBody": tensors}},
            **{path: {"get": _operation(what, "as said", {}, {})} for path, what in gets.items()},
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        **({"security": [{"token": []}]} if service.options.token else {}),
    }


def _photos_body() -> dict[str, Any]:
    """Return the ways to send photos."""
    photo = {"schema": {"type": "string", "format": "binary"}}
    listed = {"schema": {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}}
    form = {
        "schema": {
            "type": "object",
            "properties": {"photos": {"type": "array", "items": {"type": "string", "format": "binary"}}},
        }
    }
    return {
        "required": True,
        "content": {
            "image/jpeg": photo,
            "application/octet-stream": photo,
            "multipart/form-data": form,
            "application/json": listed,
        },
    }


def _operation(summary: str, gives: str, schema: dict[str, Any], problems: dict[int, str]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": gives}
    if schema:
        good["content"] = {"application/json": {"schema": schema}}
    return {
        "summary": summary,
        "responses": {"200": good, **{str(k): {"description": v} for k, v in problems.items()}},
    }


def _answers_schema() -> dict[str, Any]:
    said = {
        "type": "object",
        "properties": {
            "label": {"type": "string"},
            "probability": {"type": "number", "description": "calibrated, of the label"},
            "probabilities": {"type": "object", "description": "as `hoego predict` gives them, by class"},
            "set": {
                "type": "array",
                "items": {"type": "string"},
                "description": "holds the truth as promised",
            },
        },
    }
    answer = {
        "type": "object",
        "properties": {
            "photo": {"type": "string"},
            "seen": {"type": "boolean", "description": "the file's bytes were in training"},
            "abstain": {"type": "boolean", "description": "the promise does not hold for this answer"},
            "attributes": {"type": "object", "additionalProperties": said},
        },
    }
    return {
        "type": "object",
        "properties": {
            "model": {"type": "string"},
            "digest": {"type": "string"},
            "answers": {"type": "array", "items": answer},
        },
    }


def _moved(bins: Any) -> str:
    return "; ".join(
        f"{b.name}: {b.today:.1%}, expected {b.low:.1%} to {b.high:.1%}" for b in bins if b.moved
    )
