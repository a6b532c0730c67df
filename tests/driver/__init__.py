"""The asyncio driver must behave like plain Python awaiting in the same task."""
