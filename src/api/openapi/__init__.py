"""The OpenAPI document (schemas, responses, headers, examples, code samples), and Swagger UI."""
