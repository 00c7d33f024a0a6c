"""Search over settings: trials are runs of the queue, the study is made anew from their records before each choice."""
