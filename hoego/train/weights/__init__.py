"""Published weights as the start of a training: found, checked, given to timm, and their preprocessing with them."""
