"""Workers on other machines: an engine (Ray, Slurm) starts them, and the records stay the truth.

An engine starts processes and nothing else. Every worker claims runs from the shared folder of records as `hoego queue
work` does by hand; if the engine, a node or the command dies, heartbeats return the runs to waiting.
"""
