"""HTTP over requests and aiohttp, and the drivers of flows."""
