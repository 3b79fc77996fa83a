"""The commands: their options, and which work they call. Nothing heavy is imported until a command knows that it needs
it, so that each starts fast and none needs what only another one does."""
