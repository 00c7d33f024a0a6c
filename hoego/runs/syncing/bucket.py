"""An object store, as the sync of records uses it: list, read, create, send and fetch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hoego.errors import RecordError, UsageError
from hoego.extras import require
from hoego.storage import storing

_CHUNK = 4 << 20


class Bucket:
    """The objects below a URL such as s3://bucket/prefix (also gs://, az:// and file:///folder).

    Requests that fail for a moment (5xx, a lost connection) are repeated by obstore. Keys, region and endpoint come
    from the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL ...).

    Raises:
        UsageError: the URL names no object store.
    """

    def __init__(self, url: str) -> None:
        require("sync", "Sync with an object store")
        import obstore
        from obstore.store import from_url

        self.url, self._obstore = url, obstore
        options: dict[str, Any] = {"mkdir": True} if url.startswith("file:") else {}
        try:
            self._store = from_url(url, **options)
        except (obstore.exceptions.BaseError, ValueError) as problem:
            said = str(problem).splitlines()[0]
            raise UsageError(f"{url!r} is no object store: {said}", remedy="s3://BUCKET/PREFIX") from None

    def folders(self) -> list[str]:
        """Return the names directly below the URL that hold further objects, sorted."""
        with self._answering():
            found = self._obstore.list_with_delimiter(self._store)
            return sorted(str(name).strip("/").rpartition("/")[2] for name in found["common_prefixes"])

    def names(self, below: str) -> set[str]:
        """Return the last parts of the names of all objects below a name."""
        with self._answering():
            return {
                str(item["path"]).rpartition("/")[2]
                for page in self._obstore.list(self._store, prefix=below)
                for item in page
            }

    def read(self, name: str) -> bytes | None:
        """Return the content of an object; None where there is none."""
        with self._answering():
            try:
                return bytes(self._obstore.get(self._store, name).bytes())
            except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
                return None

    def create(self, name: str, content: bytes) -> bool:
        """Create an object; False, and nothing changes, where there is one of that name."""
        with self._answering():
            try:
                self._obstore.put(self._store, name, content, mode="create", use_multipart=False)
            except (FileExistsError, self._obstore.exceptions.AlreadyExistsError):
                return False
            return True

    def send(self, name: str, file: Path) -> None:
        """Send a file as an object; it is there whole or not at all."""
        with self._answering():
            self._obstore.put(self._store, name, file)

    def fetch(self, name: str, target: Path) -> None:
        """Write the content of an object to the file `target`."""
        with self._answering():
            stream = self._obstore.get(self._store, name).stream(min_chunk_size=_CHUNK)
            with storing(target), target.open("wb") as out:
                for chunk in stream:
                    out.write(chunk)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (self._obstore.exceptions.BaseError, OSError) as problem:
            said = " ".join(str(problem).partition("Debug source")[0].split())[:300]
            raise RecordError(
                f"{self.url} does not answer as it should: {said}",
                remedy="Give the command again: what was sent or fetched is kept.",
            ) from None
