"""A stub of an S3 object store on 127.0.0.1, with faults: slow answers, 503, connections that are cut off."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "bucket"


class StubStore(ThreadingHTTPServer):
    """The objects of one bucket in memory; every `faulty`-th request fails, in turn in each way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.written: list[str] = []
        self.deleted: list[str] = []
        self.faulty = 0
        self.die_after = 0
        self.guard = threading.Lock()
        self._count = itertools.count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self) -> str:
        """The fault of this request; "" for none."""
        number = next(self._count)
        if self.die_after and number > self.die_after:
            return "503"
        if self.faulty and number % self.faulty == 0:
            return ("503", "cut", "slow")[number // self.faulty % 3]
        return ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StubStore
    _torn = False

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _key(self) -> tuple[str, dict[str, str]]:
        split = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(split.query, keep_blank_values=True).items()}
        return unquote(split.path).removeprefix(f"/{BUCKET}").lstrip("/"), query

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"etag"')
        self.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        self.end_headers()
        if self.command == "HEAD":
            return
        if self._torn and content:
            self.wfile.write(content[: len(content) // 2])
            self._cut()
        else:
            self.wfile.write(content)

    def _fault(self) -> str:
        fault = self.server.fault()
        if fault == "slow":
            time.sleep(0.3)
        return fault

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_GET(self) -> None:
        key, query = self._key()
        fault = self._fault()
        if fault == "503":
            self._answer(503)
            return
        self._torn = fault == "cut"
        if not key:
            self._answer(200, self._listing(query), Content_Type="application/xml")
        elif key in self.server.objects:
            content, wanted = self.server.objects[key], self.headers.get("Range")
            if wanted:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, end = int(first), min(int(last or len(content) - 1), len(content) - 1)
                self._answer(
                    206, content[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(content)}"
                )
            else:
                self._answer(200, content)
        else:
            self._answer(404)

    do_HEAD = do_GET

    def _listing(self, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        keys, folders = [], set()
        for key in sorted(self.server.objects):
            if key.startswith(prefix):
                rest = key[len(prefix) :]
                if delimiter and delimiter in rest:
                    folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
                else:
                    keys.append(key)
        listed = "".join(
            f"<Contents><Key>{escape(k)}</Key><Size>{len(self.server.objects[k])}</Size><ETag>e</ETag>"
            "<LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>"
            for k in keys
        )
        listed += "".join(
            f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>".encode()

    def do_PUT(self) -> None:
        key, query = self._key()
        body, fault = self._body(), self._fault()
        if fault == "503":
            self._answer(503)
            return
        with self.server.guard:
            if "uploadId" in query:
                self.server.parts[query["uploadId"]][int(query["partNumber"])] = body
            elif self.headers.get("If-None-Match") == "*" and key in self.server.objects:
                self._answer(412)
                return
            else:
                self._store(key, body)
        if fault == "cut":  # written, and the answer is lost
            self._cut()
        else:
            self._answer(200)

    def do_POST(self) -> None:
        key, query = self._key()
        self._body()
        fault = self._fault()
        if fault == "503":
            self._answer(503)
            return
        if fault == "cut":
            self._cut()
            return
        if "uploads" in query:
            upload = uuid.uuid4().hex
            self.server.parts[upload] = {}
            told = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        else:
            parts = self.server.parts.get(query["uploadId"], {})
            with self.server.guard:
                self._store(key, b"".join(parts[k] for k in sorted(parts)))
            told = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
        self._answer(200, told.encode(), Content_Type="application/xml")

    def _store(self, key: str, body: bytes) -> None:
        self.server.objects[key] = body
        self.server.written.append(key)

    def do_DELETE(self) -> None:
        self.server.deleted.append(self.path)
        self._answer(204)


@contextlib.contextmanager
def stub_store() -> Iterator[StubStore]:
    """Serve an empty bucket while the body runs."""
    server = StubStore()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
