"""The OpenAPI document: examples, headers, responses, request bodies, and Swagger UI."""
