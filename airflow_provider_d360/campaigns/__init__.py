"""
Campaigns: one message to many people, each once.

The pure core decides: ``filling``, ``audience``, ``plan``, ``verdicts``, ``windows``, ``progress``.
Thin shells around it read an audience into the store, send it, and report the outcomes.
"""
