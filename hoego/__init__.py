"""Hoego: experiments on image classification that you can believe."""
