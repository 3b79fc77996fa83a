"""MCP servers in, tools and replies out: the one program of a run that speaks MCP."""
