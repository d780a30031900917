"""A message, a file or a template against WhatsApp's documented limits, before it is sent."""
