"""Outside systems: a help desk that is told of requests by a signed webhook, and works with them over the API.

outbox    what is told, stored in the transaction of the change itself
sending   sends it, in order, until it is taken or given up
signing   the signature of such a call (Standard Webhooks)
keys      what an outside system signs in with
calls     a call that is repeated is answered the same, and nothing is done twice
"""
