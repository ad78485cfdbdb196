"""No deadline for one example: how fast this machine is right now says nothing about us."""

from hypothesis import HealthCheck, settings

settings.register_profile("pqproxy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pqproxy")
