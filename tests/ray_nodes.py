"""A Ray cluster of two one-core nodes on this machine, for `test_cluster.py`: prints its address, and removes the
second node when a line comes on stdin."""

from __future__ import annotations

import os
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Without it Ray takes the address by which other machines reach this one, even where 127.0.0.1 is asked for.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
# Workers of Ray are nice to others by 15, and hardly run at all on a machine that has other work.
os.environ.update({"RAY_worker_niceness": "0"})

if __name__ == "__main__":
    from ray.cluster_utils import Cluster

    here = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args=here)
    second = cluster.add_node(**here)
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "remove":
            cluster.remove_node(second, allow_graceful=False)
            print("removed", flush=True)
    cluster.shutdown()
