"""Questions to somebody else's TLS: what an endpoint accepts, what a client offers.

The only package beside `proxy/` that opens connections of its own. They are few, each ends within
its patience, and what is read of each is bounded: nobody we ask can hang us, or make us grow.
"""
