"""`pqproxy check`: whether what a configuration asks for can be had, on this machine and now.

Each section asks one part of the world and returns findings; none of them raises for what it
finds. Nothing is changed, and nobody is connected to who was not meant to be: an upstream is
dialled only with consent, because to some servers a connection without a request is a fault.
"""
