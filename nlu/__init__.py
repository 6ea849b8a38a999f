"""Firstline understands: the Rasa project, the service around it and what measures it.

A world of its own (Python 3.10); the rest of Firstline talks to it over HTTP.
"""
