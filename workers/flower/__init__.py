"""Flower, the web pages of Celery, as a program of ours that shows and changes nothing."""
