"""Photos at training size in tar shards: few large files, which webdataset reads, too.

    DIR/shard-00000.tar    uncompressed; a photo is `000000123.npy`, uint8 [H, W, 3], the pixels of the cache
    DIR/index.parquet      id, subject (a hash), shard, offset, length, digest and content of each; written last

No shard holds a label, a name or an id: the number of a photo means something through the index alone, and labels come
from the table with its overlay, as ever. A subject's photos lie in one shard. All photos of a pack have one size, so a
shard is an array with a stride, and a training reads it in any order as it reads the cache.
"""

from __future__ import annotations

from hoego.data.packing.plan import plan_shards
from hoego.data.packing.read import open_packed
from hoego.data.packing.write import PackRequest, pack

__all__ = ["PackRequest", "open_packed", "pack", "plan_shards"]
