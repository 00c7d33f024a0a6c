"""The watch over a training: which photos of the data set any process opens, by inotify(7)."""
