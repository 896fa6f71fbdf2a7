"""The outside world, played: a local HTTP service that is the providers, the gateways and the customers.

It takes messages in the providers' wire formats, lets customers of different characters answer, and calls our webhooks back
with signed receipts, replies and payments, as the real ones do. It knows of us only what the outside would: the messages it
got and the links in them. Run it with `python -m rehearsal.simulator --port 8090 --api http://127.0.0.1:8080`.
"""
