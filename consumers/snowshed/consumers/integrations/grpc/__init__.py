"""A Guard for gRPC: interceptors for servers and channels, threaded and asyncio."""
